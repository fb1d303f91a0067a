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
from replicator.values import dataclass

# The reason of runs that nobody asked for; those of people go before them.
SCHEDULE: Final = "schedule"

LISTING_NUMBER: Final = 0
CLOSING_NUMBER: Final = -1

# Tags that make an item count as much as another one: who is large waits longer.
_TAGS_OF_ONE_TURN: Final = 100


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that has no items yet, and what they will be about."""

    number: int
    rule: str
    kind: ItemKind
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class _About:
    """The run of new items, and where they stand in the order."""

    run: int
    rule: str
    scheduled: bool
    turn: int
    last_number: int = 0
    last_turn: int = -1


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
    if pieces:
        about = await _about(connection, run_number)
        await _insert(connection, _rows(about, pieces, kind, now))


async def add_first_items(
    connection: AsyncConnection, runs: Sequence[NewRun], now: datetime, *, scheduled: bool
) -> None:
    """Write the first items of runs that this transaction has made, as ``add_items`` does."""
    turn = (await connection.execute(select(_turn_now()))).scalar_one()
    rows: list[dict[str, Any]] = []
    for new in runs:
        about = _About(new.number, new.rule, scheduled, turn)
        rows += _rows(about, new.pieces, new.kind, now)
    await _insert(connection, rows)


async def _about(connection: AsyncConnection, run_number: int) -> _About:
    """Find out where the new items stand in the order.

    Each new item of a run comes one turn after the last, and the first of them right where the
    workers are now: so rules take turns, and one with 100,000 items lets others in between.
    """
    last = select(item.c.n, item.c.turn).where(item.c.run == run_number)
    last_item = last.order_by(item.c.n.desc()).limit(1).subquery()
    found = await connection.execute(
        select(
            run.c.number,
            run.c.rule,
            run.c.trigger == SCHEDULE,
            _turn_now(),
            func.coalesce(last_item.c.n, 0),
            func.coalesce(last_item.c.turn, -1),
        )
        .select_from(run.outerjoin(last_item, true()))
        .where(run.c.number == run_number)
    )
    return _About(*found.one())


def _turn_now() -> Any:
    waiting = select(item.c.turn).where(item.c.state == ItemState.WAITING.value)
    following = waiting.order_by(item.c.priority, item.c.turn).limit(1)
    return func.coalesce(following.scalar_subquery(), 0)


async def _insert(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(item), rows)
        await carrier.send(connection, [(row["run"], row["n"]) for row in rows])


def _rows(
    about: _About, pieces: Sequence[Piece], kind: ItemKind, now: datetime
) -> list[dict[str, Any]]:
    turn = max(about.turn, about.last_turn + 1)
    rows = []
    for offset, piece in enumerate(pieces):
        number = {
            ItemKind.LISTING: LISTING_NUMBER,
            ItemKind.CLOSING: CLOSING_NUMBER,
            ItemKind.COPYING: max(about.last_number, LISTING_NUMBER) + 1 + offset,
        }[kind]
        rows.append(_row(about, number, turn, kind, piece, now))
        turn += 1 + len(piece.tags or ()) // _TAGS_OF_ONE_TURN
    return rows


def _row(
    about: _About, number: int, turn: int, kind: ItemKind, piece: Piece, now: datetime
) -> dict[str, Any]:
    return {
        "run": about.run,
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
