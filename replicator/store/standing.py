"""Standing: how all rules and runs stand at one moment, as metrics show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from replicator.store.database import Database
from replicator.store.records import RunState
from replicator.store.tables import failing_tag, rule, run
from replicator.store.work_tables import ItemState, item
from replicator.values import dataclass

_IN_STEP: Final = (RunState.SUCCEEDED.value, RunState.EMPTY.value)


@dataclass(frozen=True, slots=True)
class Standing:
    """Runs that wait and are under way, and the same of their items; how long the oldest waits.

    *in_step_at* is, for each enabled rule, when its last run began that left nothing undone; what
    has changed at the source since then may be missing at the destination. None if there is none.
    """

    waiting: int
    under_way: int
    items_waiting: int
    items_under_way: int
    oldest_queued_at: datetime | None
    in_step_at: Mapping[str, datetime | None]
    failing_tags: int
    oldest_failing_since: datetime | None


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
        in_step = {row.name: row.in_step_at for row in await connection.execute(_LAST_IN_STEP)}
    return Standing(waiting, under_way, wait, go_on, oldest, in_step, number, since)


_LAST_IN_STEP: Final = select(
    rule.c.name,
    select(run.c.started_at)
    .where(run.c.rule == rule.c.name, run.c.state.in_(_IN_STEP))
    .order_by(run.c.number.desc())
    .limit(1)
    .scalar_subquery()
    .label("in_step_at"),
).where(rule.c.enabled)
