"""Reaper: sees to what nobody else would: lost items and messages, and what has come due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store import carrier
from replicator.store.abandoned import LEASE, end_abandoned, interrupted, is_gone
from replicator.store.database import Database
from replicator.store.moments import moment
from replicator.store.prepared.alchemy import AlchemyTransaction
from replicator.store.records import RunState
from replicator.store.remaining import let_wait, open_closing
from replicator.store.tables import run
from replicator.store.work_tables import MOST_LOSSES, ItemKind, ItemState, item

# PostgreSQL's advisory locks share one space of numbers in a database; see migrate for the other.
_LOCK: Final = 7_267_110_302
# Messages that are sent again at once, and items that come due.
_AT_ONCE: Final = 200
# How long nothing may have been said of a waiting item before its message counts as lost.
GRACE: Final = timedelta(seconds=30)


class Reaper:
    """Any number of these may share a database: one at a time does the work.

    *grace* is how long a message may take.
    """

    def __init__(self, database: Database, *, grace: timedelta = GRACE) -> None:
        self._database = database
        self._grace = grace

    async def reap(self, now: datetime) -> None:
        """Do all that is due. Raises StoreError."""
        async with self._database.writing() as connection:
            if not await _is_alone(connection):
                return
            await end_abandoned(AlchemyTransaction(connection), now)
            await take_from_lost(connection, now)
            await _let_due_wait(connection, now)
            await _close_forgotten(connection, now)
            await carrier.forget_read(connection, older_than=LEASE.total_seconds())
            await carrier.send_again(
                connection, silent_for=self._grace.total_seconds(), limit=_AT_ONCE
            )


async def _is_alone(connection: AsyncConnection) -> bool:
    if connection.dialect.name != "postgresql":
        return True
    return bool(await connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({_LOCK})")))


async def take_from_lost(connection: AsyncConnection, now: datetime) -> None:
    """Let items whose owners are gone wait for others."""
    expired = (item.c.leased_until < moment(connection, now)).label("expired")
    running = await connection.execute(
        select(item, run.c.cancel_at, expired)
        .join(run, run.c.number == item.c.run)
        .where(item.c.state == ItemState.RUNNING.value)
        .with_for_update(of=item, skip_locked=True)
    )
    for row in running.all():
        # On a server an item is free when its lease is over, also that of a process which is
        # paused: it moves no tag any more then. The processes of a file keep theirs.
        is_over = row.expired and connection.dialect.name != "sqlite"
        if not (is_over or is_gone(row.owner, expired=row.expired)):
            continue
        losses = row.losses + 1
        if losses >= MOST_LOSSES and row.kind == ItemKind.CLOSING:
            await _end(connection, row, now, interrupted(row.owner, losses))
            continue
        is_done = losses >= MOST_LOSSES or (
            row.cancel_at is not None and row.kind != ItemKind.CLOSING
        )
        await connection.execute(
            update(item)
            .where(item.c.run == row.run, item.c.n == row.n)
            .values(owner="", leased_until=None, losses=losses)
            .values(_given_up(row, losses, now) if is_done else _waiting(now))
        )
        if not is_done:
            await carrier.send(connection, [(row.run, row.n)])
        await let_wait(connection, row.run)


def _waiting(now: datetime) -> dict[str, Any]:
    return {"state": ItemState.WAITING.value, "sent_at": now}


def _given_up(row: Any, losses: int, now: datetime) -> dict[str, Any]:
    """Return what becomes of an item that ends its owners, or that nobody wants any more."""
    done = {"state": ItemState.DONE.value, "finished_at": now}
    if row.cancel_at is not None:
        return done
    summary = {
        "counts": {"failed": 1},
        "incomplete": True,
        "error": interrupted(row.owner, losses),
    }
    return {**done, "summary": summary}


async def _end(connection: AsyncConnection, row: Any, now: datetime, error: str) -> None:
    """End a run whose closing ends its owners."""
    failed = {"state": RunState.FAILED.value, "finished_at": now, "error": error}
    await connection.execute(update(run).where(run.c.number == row.run).values(failed))
    await connection.execute(delete(item).where(item.c.run == row.run))


async def _let_due_wait(connection: AsyncConnection, now: datetime) -> None:
    """Let items wait again that were put off until now."""
    due = (
        select(item.c.run, item.c.n)
        .where(item.c.state == ItemState.DEFERRED.value, item.c.due_at <= now)
        .order_by(item.c.due_at)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    for run_number, n in (await connection.execute(due)).all():
        await connection.execute(
            update(item)
            .where(item.c.run == run_number, item.c.n == n)
            .values(state=ItemState.WAITING.value, due_at=None, sent_at=now)
        )
        await carrier.send(connection, [(run_number, n)])


async def _close_forgotten(connection: AsyncConnection, now: datetime) -> None:
    """Let runs be closed whose last worker ended before it could see to that."""
    unfinished = select(item.c.n).where(
        item.c.run == run.c.number, item.c.state != ItemState.DONE.value
    )
    forgotten = select(run.c.number).where(
        run.c.finished_at.is_(None), run.c.queued_at.is_not(None), ~unfinished.exists()
    )
    for number in (await connection.scalars(forgotten)).all():
        await open_closing(connection, number, now)
