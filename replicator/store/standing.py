"""Standing: how all rules and runs stand at one moment, as metrics show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from replicator.store.database import Database
from replicator.store.records import RunState
from replicator.store.tables import failing_tag, rule, run

_IN_STEP: Final = (RunState.SUCCEEDED.value, RunState.EMPTY.value)


@dataclass(frozen=True, slots=True)
class Standing:
    """Runs that wait and are under way, and how long the oldest has waited.

    *in_step_at* is, for each enabled rule, when its last run began that left nothing undone; what
    has changed at the source since then may be missing at the destination. None if there is none.
    """

    waiting: int
    under_way: int
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
        func.min(run.c.queued_at).filter(is_queued),
    ).where(run.c.finished_at.is_(None))
    failing = select(func.count(), func.min(failing_tag.c.since))
    async with database.reading() as connection:
        waiting, under_way, oldest = (await connection.execute(runs)).one()
        number, since = (await connection.execute(failing)).one()
        in_step = {row.name: row.in_step_at for row in await connection.execute(_LAST_IN_STEP)}
    return Standing(waiting, under_way, oldest, in_step, number, since)


_LAST_IN_STEP: Final = select(
    rule.c.name,
    select(run.c.started_at)
    .where(run.c.rule == rule.c.name, run.c.state.in_(_IN_STEP))
    .order_by(run.c.number.desc())
    .limit(1)
    .scalar_subquery()
    .label("in_step_at"),
).where(rule.c.enabled)
