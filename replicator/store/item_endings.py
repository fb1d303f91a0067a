"""The ends of items, many in one transaction, and what a run of items ends with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, case, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.item_records import Claim
from replicator.store.records import Totals
from replicator.store.run_rows import totals_row
from replicator.store.tables import BYTES, run
from replicator.store.work_tables import ItemState, item
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Ended:
    """An item that its owner is done with, and what it came to."""

    claim: Claim
    summary: Mapping[str, Any]
    at: datetime


async def end_items(
    connection: AsyncConnection, owner: str, ended: Sequence[Ended]
) -> frozenset[str]:
    """Say of items that they are done, as far as they are still *owner*'s; return those keys."""
    theirs = await hold_items(connection, owner, [each.claim.key for each in ended])
    rows = [
        {
            "of_run": each.claim.run,
            "of_n": each.claim.n,
            "at": each.at,
            "came_to": dict(each.summary),
        }
        for each in ended
        if each.claim.key in theirs
    ]
    if rows:
        await connection.execute(_END, rows)
    return theirs


async def hold_items(
    connection: AsyncConnection, owner: str, keys: Collection[str]
) -> frozenset[str]:
    """Keep items from being taken in a transaction, and return which of *keys* are *owner*'s."""
    parts = [tuple(map(int, key.split("/"))) for key in keys]
    found = await connection.execute(_HOLD, {"keys": parts, "of_owner": owner})
    return frozenset(f"{row.run}/{row.n}/{row.attempt}" for row in found)


def final_totals(totals: Totals) -> dict[str, Any]:
    """Return the columns of a run in numbers, now that its items are summed up.

    The sums lack what somebody moved who was lost before handing that on.
    """
    sums = totals_row(totals)
    at_least = {
        name: case((run.c[name] > sums[name], run.c[name]), else_=sums[name]) for name in BYTES
    }
    return {**sums, **at_least}


# Both are made once, as every item ends with them.
_HOLD: Final = (
    select(item.c.run, item.c.n, item.c.attempt)
    .where(
        tuple_(item.c.run, item.c.n, item.c.attempt).in_(bindparam("keys", expanding=True)),
        item.c.owner == bindparam("of_owner"),
        item.c.state == ItemState.RUNNING.value,
    )
    # In one order, so that no two transactions wait for each other.
    .order_by(item.c.run, item.c.n)
    .with_for_update()
)
_END: Final = (
    update(item)
    .where(item.c.run == bindparam("of_run"), item.c.n == bindparam("of_n"))
    .values(
        state=ItemState.DONE.value,
        owner="",
        leased_until=None,
        finished_at=bindparam("at"),
        summary=bindparam("came_to", type_=item.c.summary.type),
    )
)
