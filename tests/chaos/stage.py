"""Stage: a cluster at work between two registries, and when all is as it should be again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from tests.chaos import checker
from tests.chaos.cluster import Cluster, wait_until
from tests.chaos.content import Content
from tests.support.address import Address

_EPSILON: Final = timedelta(seconds=60)


def wide_rule(name: str, source: Address, destination: Address, schedule: str = "every 2s") -> str:
    """Return a configuration with a rule about all content below *name*."""
    return f"""
[service]
grace = "200ms"
[[rules]]
name = "wide"
source = "{source.host}/{name}/*"
destinations = ["{destination.host}/mirror/{{repository}}"]
tags = {{ include = ["1.*"] }}
schedule = {json.dumps(schedule)}
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """*destination* is where the content is looked for, below ``mirror``."""

    cluster: Cluster
    content: Content
    destination: Address

    def come_right(self, when: str) -> checker.Findings:
        """Wait until the destination equals the source, and each due time until now has ended."""
        try:
            wait_until(lambda: not self._differences(), f"the destination equals the source {when}")
            return self._wait_until_all_ended(when)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._differences()}\nsee {self.dump()}") from None

    def _differences(self) -> list[str]:
        return self.content.differences(self.destination)

    def _wait_until_all_ended(self, when: str) -> checker.Findings:
        now, found = datetime.now(UTC), checker.Findings()

        def is_over() -> bool:
            nonlocal found
            found = checker.check(checker.read(self.cluster.database, until=now), epsilon=_EPSILON)
            # What is due at the very end is decided in a moment.
            return not found.missed and not found.waiting

        try:
            wait_until(is_over, f"each due time has ended {when}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{found}\n{found.waiting}") from None
        return found

    def wait_for_item(self) -> None:
        """Wait until somebody begins an item."""
        begun = self._items_begun()
        wait_until(lambda: self._items_begun() > begun, "an item is begun")

    def _items_begun(self) -> int:
        everybody = [*self.cluster.members, *self.cluster.gone]
        return sum(len(each.entries("item started")) for each in everybody)

    def is_at_work(self) -> bool:
        """Say whether some worker has an item that reads from the source."""
        query = "SELECT 1 FROM item WHERE state = 'running' AND kind <> 'closing'"
        with psycopg.connect(self.cluster.database) as connection:
            return connection.execute(query).fetchone() is not None

    def ended_runs(self, rule: str) -> Sequence[str]:
        """Return how the runs of a rule ended so far."""
        query = "SELECT state FROM run WHERE rule = %s AND finished_at IS NOT NULL ORDER BY number"
        with psycopg.connect(self.cluster.database) as connection:
            return [state for (state,) in connection.execute(query, [rule])]

    def dump(self) -> Path:
        """Write down what the processes and the database say, for whoever has to find out."""
        folder = Path(tempfile.mkdtemp(prefix="replicator-chaos-"))
        for member in [*self.cluster.gone, *self.cluster.members]:
            log = "\n".join(member.process.lines)
            (folder / f"{member.role}-{member.pid}.log").write_text(log)
        for table, query in _TABLES.items():
            (folder / f"{table}.json").write_text(json.dumps(self._rows(query), default=str))
        return folder

    def _rows(self, query: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.cluster.database, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()


_TABLES: Final = {
    "run": "SELECT * FROM run ORDER BY number DESC LIMIT 50",
    "item": "SELECT * FROM item",
    "fire": "SELECT * FROM rule_fire ORDER BY fire_at DESC LIMIT 50",
    "action": "SELECT * FROM action ORDER BY run DESC LIMIT 300",
    "message": "SELECT * FROM procrastinate_jobs",
    "activity": "SELECT pid, state, wait_event, query_start, query FROM pg_stat_activity",
}


def cut_connections(url: str) -> None:
    """End all connections to a database but this one, from the server's side."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with psycopg.connect(url) as connection:
        connection.execute(query)
