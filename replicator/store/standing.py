"""Standing: how all rules and runs stand at one moment, as metrics show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, Select, UnaryExpression, func, select

from replicator.store.database import Database
from replicator.store.documents import duration_from_document
from replicator.store.records import RunState
from replicator.store.tables import failing_tag, rule, rule_clock, run
from replicator.store.work_tables import ItemState, item
from replicator.values import dataclass

_IN_STEP: Final = (RunState.SUCCEEDED.value, RunState.EMPTY.value)


@dataclass(frozen=True, slots=True)
class Standing:
    """Runs that wait and are under way, and the same of their items; how long the oldest waits.

    *in_step_at* is, for each enabled rule, when its last run began that left nothing undone; what
    has changed at the source since then may be missing at the destination. A rule that has never
    come so far counts from its first run, or from when its schedule was first seen; None if
    neither has been. *objectives* are how old that may be, of the enabled rules that say so.
    """

    waiting: int
    under_way: int
    items_waiting: int
    items_under_way: int
    oldest_queued_at: datetime | None
    in_step_at: Mapping[str, datetime | None]
    failing_tags: int
    oldest_failing_since: datetime | None
    objectives: Mapping[str, timedelta]


async def standing(database: Database) -> Standing:
    """Look at all rules and runs."""
    is_queued = run.c.state == RunState.QUEUED.value
    runs = select(
        func.count().filter(is_queued),
        func.count().filter(~is_queued),
    ).where(run.c.finished_at.is_(None))
    items = select(
        func.count().filter(item.c.state == ItemState.WAITING.value),
        func.count().filter(item.c.state == ItemState.RUNNING.value),
        func.min(item.c.queued_at).filter(item.c.state == ItemState.WAITING.value),
    ).where(item.c.state != ItemState.DONE.value)
    failing = select(func.count(), func.min(failing_tag.c.since))
    async with database.reading() as connection:
        waiting, under_way = (await connection.execute(runs)).one()
        wait, go_on, oldest = (await connection.execute(items)).one()
        number, since = (await connection.execute(failing)).one()
        rules = (await connection.execute(_LAST_IN_STEP)).all()
    in_step = {row.name: _since(row) for row in rules}
    objectives = {row.name: duration_from_document(row.objective) for row in rules if row.objective}
    return Standing(waiting, under_way, wait, go_on, oldest, in_step, number, since, objectives)


def _since(row: Any) -> datetime | None:
    if row.in_step_at is not None:
        return cast(datetime, row.in_step_at)
    return min(filter(None, (row.first_run_at, row.scheduled_at)), default=None)


def _started_at(order: UnaryExpression[Any], *conditions: ColumnElement[bool]) -> Select[Any]:
    """Select when the first run of a rule began, in some order and of those that fit."""
    mine = select(run.c.started_at).where(run.c.rule == rule.c.name, *conditions)
    return mine.order_by(order).limit(1)


_LAST_IN_STEP: Final = select(
    rule.c.name,
    _started_at(run.c.number.desc(), run.c.state.in_(_IN_STEP))
    .scalar_subquery()
    .label("in_step_at"),
    _started_at(run.c.number.asc()).scalar_subquery().label("first_run_at"),
    select(rule_clock.c.since)
    .where(rule_clock.c.rule == rule.c.name)
    .scalar_subquery()
    .label("scheduled_at"),
    rule.c.definition["objective"].as_string().label("objective"),
).where(rule.c.enabled)
