"""Runs that belong to one process, which is gone: they are over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.owner import Owner
from replicator.store.records import RunState
from replicator.store.tables import run

# How long something stays its owner's without a sign of life: what a lost machine had begun goes on
# within half a minute.
LEASE: Final = timedelta(seconds=26)


async def end_abandoned(connection: AsyncConnection, now: datetime, *, me: str = "") -> None:
    """End the runs of single processes that are gone; the process *me* is there."""
    columns = run.c
    unfinished = (
        select(columns.number, columns.owner, columns.leased_until, columns.cancel_at)
        .where(columns.finished_at.is_(None), columns.queued_at.is_(None), columns.owner != me)
        # Whoever writes about his runs just now is there; to wait for him could be for ever, as he
        # may wait for another of them.
        .with_for_update(skip_locked=True)
    )
    for row in (await connection.execute(unfinished)).all():
        if is_gone(row.owner, expired=now > row.leased_until):
            settled = {"finished_at": now, **_settled(row)}
            await connection.execute(update(run).where(run.c.number == row.number).values(settled))


async def active_run(connection: AsyncConnection, rule: str) -> Any:
    """Return the unfinished run of a rule; None if there is none."""
    query = select(run).where(run.c.rule == rule, run.c.finished_at.is_(None))
    return (await connection.execute(query)).one_or_none()


def under_way(row: Any) -> str:
    """Say why a rule cannot be started: it has an unfinished run."""
    if row.state == RunState.QUEUED:
        return (
            f"rule {row.rule!r} already has a run that waits for a service: {row.id}; start one "
            f"with `replicate serve`, or end the run with `replicate runs cancel {row.id}`"
        )
    owner = Owner.parse(row.owner)
    return (
        f"rule {row.rule!r} already has a run under way: {row.id}, "
        f"in process {owner.pid} on {owner.host}; `replicate runs cancel {row.id}` ends it"
    )


def is_gone(owner: str, *, expired: bool) -> bool:
    """Say whether the owner of something is gone, whose lease may have *expired*.

    On the same machine it can be seen whether the process is there.
    """
    alive = Owner.parse(owner).is_alive()
    return expired if alive is None else not alive


def interrupted(owner: str, losses: int = 1) -> str:
    """Say which process ended too early."""
    process = Owner.parse(owner)
    often = f", as {losses} did" if losses > 1 else ""
    return f"interrupted: process {process.pid} on {process.host} ended before the run did{often}"


def _settled(row: Any) -> dict[str, Any]:
    if row.cancel_at is not None:
        return {"state": RunState.CANCELLED.value}
    return {"state": RunState.FAILED.value, "error": interrupted(row.owner)}
