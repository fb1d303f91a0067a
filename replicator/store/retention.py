"""Retention: how much of the past is kept, and how the rest is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, CursorResult, Select, delete, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.database import Database
from replicator.store.records import RunState
from replicator.store.tables import rule_fire, run
from replicator.values import dataclass

# Rows that one transaction deletes, with the actions of each run: others wait for it on SQLite.
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Keep:
    """Runs are kept for *age*, and of each rule the newest *runs*; what is less counts."""

    age: timedelta
    runs: int


class Retention:
    """Forgets finished runs, with their actions, and due times that are settled.

    Of each rule the newest finished run stays, and the newest good one, however old they are:
    they say how the rule is doing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget(self, keep: Keep, now: datetime) -> int:
        """Forget all that is not to be kept, in short transactions; return how many runs."""
        oldest = now - keep.age
        runs = await self._repeat(_old_runs(keep.runs, oldest), run, run.c.number)
        fires = select(rule_fire.c.rule, rule_fire.c.fire_at).where(rule_fire.c.fire_at < oldest)
        await self._repeat(fires, rule_fire, tuple_(rule_fire.c.rule, rule_fire.c.fire_at))
        return runs

    async def _repeat(self, doomed: Select[Any], table: Any, key: ColumnElement[Any]) -> int:
        """Delete the rows of *table* whose *key* is among *doomed*, batch by batch."""
        total = 0
        while True:
            async with self._database.writing() as connection:
                deleted = await _delete(connection, doomed, table, key)
            total += deleted
            if deleted < _BATCH:
                return total


async def _delete(
    connection: AsyncConnection, doomed: Select[Any], table: Any, key: ColumnElement[Any]
) -> int:
    found: CursorResult[Any] = await connection.execute(
        delete(table).where(key.in_(doomed.limit(_BATCH)))
    )
    return found.rowcount


def _old_runs(most: int, oldest: datetime) -> Select[Any]:
    """Find finished runs that are too old, or behind the newest *most* of their rule."""
    finished = run.c.finished_at.is_not(None)
    place = func.row_number().over(partition_by=run.c.rule, order_by=run.c.number.desc())
    ranked = select(run.c.number, run.c.finished_at, place.label("place")).where(finished)
    each = ranked.subquery("ranked")
    return (
        select(each.c.number)
        .where(or_(each.c.place > most, each.c.finished_at < oldest))
        .where(each.c.number.not_in(_newest()), each.c.number.not_in(_newest(good=True)))
        .order_by(each.c.number)
    )


def _newest(*, good: bool = False) -> Select[Any]:
    """Find the newest finished run of each rule, or the newest good one; as status shows them."""
    query = select(func.max(run.c.number)).where(
        run.c.finished_at.is_not(None), run.c.only.is_(None)
    )
    if good:
        query = query.where(run.c.state == RunState.SUCCEEDED.value)
    return query.group_by(run.c.rule)
