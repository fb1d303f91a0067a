"""Between the pieces of a run and the rows of its items: how they get their number and turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, insert, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store import carrier
from replicator.store.item_records import Piece, tags_to_json
from replicator.store.tables import run
from replicator.store.work_tables import ItemKind, ItemState, item

# The reason of runs that nobody asked for; those of people go before them.
SCHEDULE: Final = "schedule"

LISTING_NUMBER: Final = 0
CLOSING_NUMBER: Final = -1

# Tags that make an item count as much as another one: who is large waits longer.
_TAGS_OF_ONE_TURN: Final = 100


async def add_items(
    connection: AsyncConnection,
    run_number: int,
    pieces: Sequence[Piece],
    now: datetime,
    *,
    kind: ItemKind = ItemKind.COPYING,
) -> None:
    """Write items of a run, and send messages about them, in a transaction that is open.

    The run's row must be this transaction's, so that no two give the same numbers.
    """
    if not pieces:
        return
    about = await _about(connection, run_number)
    turn = max(about.turn, about.last_turn + 1)
    rows = []
    for offset, piece in enumerate(pieces):
        number = {
            ItemKind.LISTING: LISTING_NUMBER,
            ItemKind.CLOSING: CLOSING_NUMBER,
            ItemKind.COPYING: max(about.last_number, LISTING_NUMBER) + 1 + offset,
        }[kind]
        rows.append(_row(about, run_number, number, turn, kind, piece, now))
        turn += 1 + len(piece.tags or ()) // _TAGS_OF_ONE_TURN
    await connection.execute(insert(item), rows)
    await carrier.send(connection, run_number, [row["n"] for row in rows])


async def _about(connection: AsyncConnection, run_number: int) -> Any:
    """Find out where the new items stand in the order.

    Each new item of a run comes one turn after the last, and the first of them right where the
    workers are now: so rules take turns, and one with 100,000 items lets others in between.
    """
    waiting = select(item.c.turn).where(item.c.state == ItemState.WAITING.value)
    now_at = waiting.order_by(item.c.priority, item.c.turn).limit(1).scalar_subquery()
    last = select(item.c.n, item.c.turn).where(item.c.run == run_number)
    last_item = last.order_by(item.c.n.desc()).limit(1).subquery()
    found = await connection.execute(
        select(
            run.c.rule,
            (run.c.trigger == SCHEDULE).label("scheduled"),
            func.coalesce(now_at, 0).label("turn"),
            func.coalesce(last_item.c.n, 0).label("last_number"),
            func.coalesce(last_item.c.turn, -1).label("last_turn"),
        )
        .select_from(run.outerjoin(last_item, true()))
        .where(run.c.number == run_number)
    )
    return found.one()


def _row(
    about: Any,
    run_number: int,
    number: int,
    turn: int,
    kind: ItemKind,
    piece: Piece,
    now: datetime,
) -> dict[str, Any]:
    return {
        "run": run_number,
        "n": number,
        "kind": kind.value,
        "rule": about.rule,
        "repositories": list(map(str, piece.repositories)),
        "tags": tags_to_json(piece.tags),
        "priority": int(about.scheduled),
        "turn": turn,
        "state": ItemState.WAITING.value,
        "owner": "",
        "attempt": 0,
        "losses": 0,
        "queued_at": now,
        "sent_at": now,
    }
