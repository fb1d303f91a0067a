"""Between runs and their rows: how one is made, found and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import RunActive, RunNotFound
from replicator.planning.rule import Rule
from replicator.store.documents import rule_from_document, rule_to_document
from replicator.store.records import RunRecord, RunState, Totals
from replicator.store.run_id import new_run_id
from replicator.store.tables import run
from replicator.store.upsert import insert_new


async def insert_run(
    connection: AsyncConnection,
    rule: Rule,
    trigger: str,
    now: datetime,
    columns: Mapping[str, Any],
) -> RunRecord:
    """Make a run of *rule*, for the reason *trigger*. Raises RunActive.

    *columns* say in which state, and whose it is.
    """
    row = new_run_row(rule, trigger, now, columns)
    try:
        made = await connection.execute(insert(run).returning(run), row)
    except IntegrityError:
        # Another process was quicker by a moment: the unique index has decided.
        raise RunActive(f"rule {rule.name!r} was just started by another process") from None
    return run_from_row(made.one())


async def insert_runs(
    connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]
) -> Mapping[str, int]:
    """Make a run of each of *rows* whose rule has no unfinished one; return numbers by id."""
    added = insert_new(connection, run, run.c.rule, run.c.finished_at.is_(None))
    made = await connection.execute(added.returning(run.c.id, run.c.number), rows)
    return {row.id: row.number for row in made}


async def find_run(connection: AsyncConnection, run_id: str) -> Any:
    """Find a run by its id or the beginning of it.

    Raises RunNotFound, also when several begin like that.
    """
    query = select(run).where(run.c.id.startswith(run_id, autoescape=True)).limit(2)
    found = (await connection.execute(query)).all()
    if not found:
        raise RunNotFound(f"there is no run {run_id!r}")
    if len(found) > 1:
        listed = ", ".join(row.id for row in found)
        raise RunNotFound(f"several runs begin with {run_id!r}, such as {listed}")
    return found[0]


def new_run_row(
    rule: Rule, trigger: str, now: datetime, columns: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a row for a run of *rule*; *columns* say in which state, and whose it is."""
    return {
        "id": new_run_id(now),
        "rule": rule.name,
        "snapshot": rule_to_document(rule),
        "trigger": trigger,
        "attempt": 0,
        "error": "",
        **totals_row(Totals()),
        **columns,
    }


def totals_row(totals: Totals) -> dict[str, Any]:
    """Return the columns of a run in numbers."""
    return {
        "counts": dict(totals.counts),
        "bytes_moved": totals.bytes_moved,
        "bytes_mounted": totals.bytes_mounted,
        "bytes_skipped": totals.bytes_skipped,
        "requests": {registry: dict(kinds) for registry, kinds in totals.requests.items()},
    }


def run_from_row(row: Any) -> RunRecord:
    """Read a run."""
    return RunRecord(
        id=row.id,
        number=row.number,
        rule=rule_from_document(row.rule, row.snapshot),
        trigger=row.trigger,
        state=RunState(row.state),
        owner=row.owner,
        started_at=row.started_at,
        finished_at=row.finished_at,
        totals=Totals(
            row.counts, row.bytes_moved, row.bytes_mounted, row.bytes_skipped, row.requests
        ),
        error=row.error,
        queued_at=row.queued_at,
        attempt=row.attempt,
        only=None if row.only is None else tuple(row.only),
        retry=row.retry,
    )
