"""What remains to be done of a run, and what follows from it for the run."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select, update
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


async def deferred_by_rule(connection: AsyncConnection) -> dict[str, datetime]:
    """Return, for each rule of whose run something is put off, when the first of it comes due."""
    rows = await connection.execute(
        select(item.c.rule, func.min(item.c.due_at))
        .where(item.c.state == ItemState.DEFERRED.value)
        .group_by(item.c.rule)
    )
    return {row[0]: row[1] for row in rows}


async def over(connection: AsyncConnection, runs: Collection[int]) -> frozenset[int]:
    """Return which of *runs* have no item any more that is not done."""
    found = await connection.scalars(_OVER, {"runs": sorted(runs)})
    return frozenset(found)


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


# The last item first: items are taken up in their order, so that is the one to be done last. To
# ask for any one of them makes PostgreSQL read the whole table from its beginning, past all that
# is done.
_last_unfinished: Final = (
    select(item.c.n)
    .where(item.c.run == run.c.number, item.c.state != ItemState.DONE.value)
    .order_by(item.c.n.desc())
    .limit(1)
    .scalar_subquery()
)
_OVER: Final = select(run.c.number).where(
    run.c.number.in_(bindparam("runs", expanding=True)), _last_unfinished.is_(None)
)
