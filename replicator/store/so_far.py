"""What runs have moved so far, in their own rows, for whoever wants to know before they end."""

from __future__ import annotations

from collections.abc import Mapping

from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statements import ADD_MOVED
from replicator.transfer.order import Tally


async def add_moved(connection: Connection, moved: Mapping[str, Tally]) -> None:
    """Add to what runs have moved, by their ids; those that are over have said all."""
    # In one order, so that no two transactions wait for each other.
    rows = [_row(run, moved[run]) for run in sorted(moved)]
    if rows:
        await connection.execute(ADD_MOVED, rows)


def _row(run: str, tally: Tally) -> dict[str, object]:
    return {
        "of_id": run,
        "more_bytes_moved": tally.bytes_moved,
        "more_bytes_mounted": tally.bytes_mounted,
        "more_bytes_skipped": tally.bytes_skipped,
    }
