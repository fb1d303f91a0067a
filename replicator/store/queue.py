"""Queue: runs that wait for a service, and how a service takes them up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import RunActive, RunFinished
from replicator.planning.rule import Rule
from replicator.store.abandoned import LEASE, end_abandoned, under_way
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.records import RunRecord, RunState
from replicator.store.run_rows import find_run, insert_run, run_from_row
from replicator.store.tables import run

# The reason of runs that nobody asked for; those of people go before them.
SCHEDULE: Final = "schedule"


class Queue:
    """Keeps runs that wait, and hands each of them to one service."""

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = str(owner)

    async def add(
        self, rule: Rule, trigger: str, now: datetime, *, only: Sequence[str] | None = None
    ) -> RunRecord:
        """Let a run of *rule* wait for a service. Raises RunActive.

        *only* are the source tags that it is limited to.
        """
        async with self._database.writing() as connection:
            active = await end_abandoned(connection, now)
            if rule.name in active:
                raise RunActive(under_way(active[rule.name]))
            return await add_run(connection, rule, trigger, now, only=only)

    async def claim(self, now: datetime) -> RunRecord | None:
        """Take up the run whose turn it is; None if none waits."""
        async with self._database.writing() as connection:
            number = await connection.scalar(_NEXT)
            if number is None:
                return None
            claimed = await connection.execute(
                update(run)
                .where(run.c.number == number)
                .values(
                    state=RunState.RUNNING.value,
                    owner=self._owner,
                    leased_until=now + LEASE,
                    started_at=now,
                    attempt=run.c.attempt + 1,
                )
                .returning(run)
            )
            return run_from_row(claimed.one())

    async def reap(self, now: datetime) -> None:
        """Let runs wait again whose service is gone; end others whose process is."""
        async with self._database.writing() as connection:
            await end_abandoned(connection, now)

    async def cancel(self, run_id: str, now: datetime) -> RunRecord:
        """End a run that waits, and ask for the end of one under way.

        *run_id* is the id or the beginning of it. Raises RunNotFound, RunFinished.
        """
        async with self._database.writing() as connection:
            await end_abandoned(connection, now)
            found = await find_run(connection, run_id)
            if found.finished_at is not None:
                raise RunFinished(f"run {found.id} is finished; it {found.state}")
            asked: dict[str, Any] = {"cancel_at": now}
            if found.state == RunState.QUEUED:
                asked |= {"state": RunState.CANCELLED.value, "finished_at": now}
            changed = await connection.execute(
                update(run).where(run.c.number == found.number).values(asked).returning(run)
            )
            return run_from_row(changed.one())


async def add_run(
    connection: AsyncConnection,
    rule: Rule,
    trigger: str,
    now: datetime,
    *,
    only: Sequence[str] | None = None,
) -> RunRecord:
    """Let a run wait for a service, in a transaction that is open. Raises RunActive."""
    waiting = {
        "state": RunState.QUEUED.value,
        "owner": "",
        "leased_until": now,
        "started_at": now,
        "queued_at": now,
    }
    if only is not None:
        waiting["only"] = list(only)
    return await insert_run(connection, rule, trigger, now, waiting)


# SKIP LOCKED: of two services that ask at once, each gets another run.
_NEXT: Final = (
    select(run.c.number)
    .where(run.c.finished_at.is_(None), run.c.state == RunState.QUEUED.value)
    .order_by(run.c.trigger == SCHEDULE, run.c.number)
    .limit(1)
    .with_for_update(skip_locked=True)
)
