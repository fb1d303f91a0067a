"""How runs are found and shown, and how those are made that services carry out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import RunActive, RunNotFound
from replicator.planning.rule import Rule
from replicator.store.actions import action_from_row
from replicator.store.records import ActionRecord, RunRecord
from replicator.store.run_rows import new_run_row, run_from_row
from replicator.store.tables import action, run
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


async def recent_runs(
    connection: AsyncConnection, rule: str | None, limit: int
) -> tuple[RunRecord, ...]:
    """Return the newest runs, of one rule if it is given, newest first."""
    query = select(run).order_by(run.c.number.desc()).limit(limit)
    if rule is not None:
        query = query.where(run.c.rule == rule)
    found = tuple(map(run_from_row, await connection.execute(query)))
    if all(each.finished_at or each.queued_at is None for each in found):
        return found
    from replicator.store.lost_runs import as_they_are

    return await as_they_are(connection, found)


async def run_with_actions(
    connection: AsyncConnection, run_id: str
) -> tuple[RunRecord, tuple[ActionRecord, ...]]:
    """Return a run as ``find_run`` does, and its actions by destination."""
    record = run_from_row(await find_run(connection, run_id))
    if record.finished_at is None and record.queued_at is not None:
        # Only a service has items; other commands need not load what is known of them.
        from replicator.store.remaining import deferred_until

        record = replace(record, deferred_until=await deferred_until(connection, record))
    its_actions = select(action).where(action.c.run == record.number)
    rows = await connection.execute(
        its_actions.order_by(action.c.registry, action.c.repository, action.c.tag)
    )
    return record, tuple(map(action_from_row, rows))
