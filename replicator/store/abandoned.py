"""Runs that belong to one process, which is gone: they are over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from replicator.store.owner import Owner
from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statements import ACTIVE_RUN, END_RUN, OTHERS_UNFINISHED
from replicator.store.records import RunState

# How long something stays its owner's without a sign of life: what a lost machine had begun goes on
# within half a minute.
LEASE: Final = timedelta(seconds=26)


async def end_abandoned(connection: Connection, now: datetime, *, me: str = "") -> None:
    """End the runs of single processes that are gone; the process *me* is there."""
    for row in await connection.execute(OTHERS_UNFINISHED, {"me": me}):
        if is_gone(row.owner, expired=now > row.leased_until):
            settled = {"of_number": row.number, "finished_at": now, **_settled(row)}
            await connection.execute(END_RUN, settled)


async def active_run(connection: Connection, rule: str) -> Any:
    """Return the unfinished run of a rule; None if there is none."""
    found = await connection.execute(ACTIVE_RUN, {"of_rule": rule})
    return found[0] if found else None


def under_way(row: Any, *, is_served: bool = False) -> str:
    """Say why a rule cannot be started: it has an unfinished run.

    Where the database *is_served*, there is no need to start a service.
    """
    if row.state == RunState.QUEUED and is_served:
        return (
            f"rule {row.rule!r} already has a run that waits for its turn: {row.id}; "
            f"`replicate runs cancel {row.id}` ends it"
        )
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


def left_waiting(row: Any) -> str:
    """Say why a rule cannot be started: the service is gone that carried out its run."""
    owner = Owner.parse(row.owner)
    return (
        f"rule {row.rule!r} already has a run that was interrupted, as process {owner.pid} on "
        f"{owner.host} is gone, and waits for a service: {row.id}; start one with "
        f"`replicate serve`, or end the run with `replicate runs cancel {row.id}`"
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
        return {"state": RunState.CANCELLED.value, "error": ""}
    return {"state": RunState.FAILED.value, "error": interrupted(row.owner)}
