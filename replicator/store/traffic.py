"""Traffic: what runs moved and asked day by day, added up where the rows are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.database import Database
from replicator.store.request_sums import BY_DAY, hour_after_sums
from replicator.store.tables import run
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes of blobs, by how they came to be at the destination."""

    moved: int
    mounted: int
    skipped: int

    @property
    def total(self) -> int:
        return self.moved + self.mounted + self.skipped


@dataclass(frozen=True, slots=True)
class Requested:
    """How many requests of one kind went to a registry on one day."""

    day: date
    registry: str
    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a run was; *good* if it left its rule in step."""

    started_at: datetime
    finished_at: datetime
    good: bool


class Traffic:
    """Adds up what runs did since a day. A run belongs to the day on which it began, in UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_day(self, since: date, rules: Sequence[str] | None = None) -> dict[date, Moved]:
        """Return the bytes of all runs, or of those of *rules*."""
        async with self._database.reading() as connection:
            day = _day(connection)
            query = select(day, *_SUMS).where(_since(since)).group_by(day)
            if rules is not None:
                query = query.where(run.c.rule.in_(rules))
            return {
                date.fromisoformat(row[0]): Moved(int(row[1]), int(row[2]), int(row[3]))
                for row in await connection.execute(query)
            }

    async def of_rules(self, since: date, rules: Sequence[str]) -> dict[str, dict[date, int]]:
        """Return the bytes that were moved, for each of *rules*."""
        found: dict[str, dict[date, int]] = {}
        async with self._database.reading() as connection:
            day = _day(connection)
            query = (
                select(run.c.rule, day, func.sum(run.c.bytes_moved))
                .where(run.c.rule.in_(rules), _since(since))
                .group_by(run.c.rule, day)
            )
            for row in await connection.execute(query):
                found.setdefault(row[0], {})[date.fromisoformat(row[1])] = int(row[2])
        return found

    async def requests(self, since: date, registry: str | None = None) -> tuple[Requested, ...]:
        """Return the requests to all registries, or to one."""
        bound = {"since": f"{since:%Y%m%d}", "registry": registry or ""}
        async with self._database.reading() as connection:
            # What is not added up yet is read from the runs.
            bound["after"] = await hour_after_sums(connection)
            return tuple(
                Requested(date.fromisoformat(row[0]), row[1], row[2], int(row[3]))
                for row in await connection.execute(text(BY_DAY), bound)
            )

    async def spans(self, rule: str, since: date) -> tuple[Span, ...]:
        """Return the finished runs of a rule, oldest first; not those limited to some tags."""
        query = (
            select(run.c.started_at, run.c.finished_at, run.c.state == "succeeded")
            .where(run.c.rule == rule, run.c.finished_at.is_not(None), run.c.only.is_(None))
            .where(_since(since))
            .order_by(run.c.number)
        )
        async with self._database.reading() as connection:
            return tuple(Span(*row) for row in await connection.execute(query))


_SUMS: Final = tuple(map(func.sum, (run.c.bytes_moved, run.c.bytes_mounted, run.c.bytes_skipped)))


def _since(day: date) -> ColumnElement[bool]:
    """Return the condition that a run is not older. Its id begins with when it was made, and has
    an index."""
    return run.c.id >= f"{day:%Y%m%d}"


def _day(connection: AsyncConnection) -> ColumnElement[Any]:
    """Return the day on which a run began, as text."""
    if connection.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", run.c.started_at), "YYYY-MM-DD", type_=Text)
    return func.substr(cast(run.c.started_at, Text), 1, 10, type_=Text)
