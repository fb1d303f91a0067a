"""What remains to be done of a run, and what follows from it for the run."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.item_records import Piece
from replicator.store.item_rows import CLOSING_NUMBER, add_items
from replicator.store.records import RunRecord, RunState
from replicator.store.tables import run
from replicator.store.work_tables import ItemKind, ItemState, item


async def deferred_until(connection: AsyncConnection, record: RunRecord) -> datetime | None:
    """Return when the first item of a run comes due that is put off; None if none is."""
    due: datetime | None = await connection.scalar(
        select(func.min(item.c.due_at)).where(item.c.run == record.number)
    )
    return due


async def has_unfinished(connection: AsyncConnection, run_number: int) -> bool:
    """Say whether there is anything left to do in a run."""
    unfinished = select(item.c.n).where(
        item.c.run == run_number, item.c.state != ItemState.DONE.value
    )
    return await connection.scalar(unfinished.limit(1)) is not None


async def open_closing(connection: AsyncConnection, run_number: int, now: datetime) -> None:
    """Let the closing of a run wait for a worker, if all else is done and it does not yet."""
    if not await lock_run(connection, run_number):
        return
    known = select(item.c.n).where(item.c.run == run_number, item.c.n == CLOSING_NUMBER)
    if await connection.scalar(known) is None:
        await add_items(connection, run_number, [Piece(())], now, kind=ItemKind.CLOSING)


async def let_wait(connection: AsyncConnection, run_number: int) -> None:
    """Say of a run that it waits, if nobody has an item of it."""
    under_way = select(item.c.n).where(
        item.c.run == run_number, item.c.state == ItemState.RUNNING.value
    )
    await connection.execute(
        update(run)
        .where(run.c.number == run_number, run.c.state == RunState.RUNNING.value)
        .where(~under_way.exists())
        .values(state=RunState.QUEUED.value, owner="")
    )


async def lock_run(connection: AsyncConnection, run_number: int) -> bool:
    """Let one transaction at a time add items to a run; say whether it is unfinished."""
    unfinished = select(run.c.number).where(run.c.number == run_number, run.c.finished_at.is_(None))
    return await connection.scalar(unfinished.with_for_update()) is not None
