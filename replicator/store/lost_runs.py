"""Runs of services that are gone: each of them waits for another service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.owner import Owner
from replicator.store.records import RunRecord, RunState
from replicator.store.work_tables import ItemState, item


async def as_they_are(
    connection: AsyncConnection, records: Sequence[RunRecord]
) -> tuple[RunRecord, ...]:
    """Return runs, those as queued whose processes have all gone; a service will write that down.

    Of processes on other machines nothing is known.
    """
    suspects = {each.number for each in records if _began_by_lost(each)}
    if not suspects:
        return tuple(records)
    held = select(item.c.run, item.c.owner).where(
        item.c.run.in_(suspects), item.c.state == ItemState.RUNNING.value
    )
    rows = (await connection.execute(held)).all()
    carried = {row.run for row in rows if Owner.parse(row.owner).is_alive() is not False}
    return tuple(
        replace(each, state=RunState.QUEUED) if each.number in suspects - carried else each
        for each in records
    )


async def end_items_of(connection: AsyncConnection, run_number: int) -> dict[str, int]:
    """Forget the items of a run that ends without a service, and return its tags by outcome."""
    gone = delete(item).where(item.c.run == run_number).returning(item.c.summary)
    counts: Counter[str] = Counter()
    for summary in (await connection.scalars(gone)).all():
        counts.update((summary or {}).get("counts", {}))
    return dict(counts)


def _began_by_lost(record: RunRecord) -> bool:
    return (
        record.state is RunState.RUNNING
        and record.queued_at is not None
        and Owner.parse(record.owner).is_alive() is False
    )
