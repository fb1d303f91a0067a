"""Runs whose process is gone: those of a service are taken up again, others are over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.owner import Owner
from replicator.store.records import RunState
from replicator.store.tables import run

# How long a run stays its owner's without a sign of life. Only other machines go by it: on the
# same one it can be seen whether the owner's process is there.
LEASE: Final = timedelta(seconds=60)

# A run that ended so many processes has to be looked at by a person.
MOST_ATTEMPTS: Final = 3


async def end_abandoned(connection: AsyncConnection, now: datetime) -> dict[str, Any]:
    """Settle the runs whose owners are gone, and return those that are not finished, by rule."""
    unfinished = await connection.execute(
        select(run).where(run.c.finished_at.is_(None)).with_for_update()
    )
    active = {}
    for row in unfinished.all():
        if row.state == RunState.RUNNING and _is_abandoned(row, now):
            settled = _settled(row, now)
            await connection.execute(update(run).where(run.c.number == row.number).values(settled))
            if "finished_at" in settled:
                continue
        active[row.rule] = row
    return active


def under_way(row: Any) -> str:
    """Say why a rule cannot be started: it has an unfinished run."""
    if row.state == RunState.QUEUED:
        return f"rule {row.rule!r} already has a run that waits for a service: {row.id}"
    owner = Owner.parse(row.owner)
    return (
        f"rule {row.rule!r} already has a run under way: {row.id}, "
        f"in process {owner.pid} on {owner.host}"
    )


def _is_abandoned(row: Any, now: datetime) -> bool:
    alive = Owner.parse(row.owner).is_alive()
    return now > row.leased_until if alive is None else not alive


def _settled(row: Any, now: datetime) -> dict[str, Any]:
    """Return what changes in an abandoned run.

    One that was to be cancelled is; one of a service waits for the next, unless it seems to be
    what ends them.
    """
    owner = Owner.parse(row.owner)
    if row.cancel_at is not None:
        return {"state": RunState.CANCELLED.value, "finished_at": now}
    if row.queued_at is not None and row.attempt < MOST_ATTEMPTS:
        return {"state": RunState.QUEUED.value, "owner": ""}
    often = f", as {row.attempt} did" if row.attempt > 1 else ""
    error = f"interrupted: process {owner.pid} on {owner.host} ended before the run did{often}"
    return {"state": RunState.FAILED.value, "finished_at": now, "error": error}
