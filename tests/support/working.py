"""A worker that carries out nothing: it takes up runs, and says how they ended."""

from __future__ import annotations

from datetime import datetime

from replicator.store.database import Database
from replicator.store.item_records import Claim, ItemKind
from replicator.store.items import Items
from replicator.store.owner import Owner
from replicator.store.records import RunRecord, RunState, Totals


class Idler:
    """Works for a database in the name of this process."""

    def __init__(self, database: Database) -> None:
        self.items = Items(database, Owner.this_process())

    async def take_up(self, now: datetime) -> tuple[Claim, RunRecord] | None:
        """Take up an item, and return it with its run; None if none waits."""
        claims = await self.items.claim(now)
        return (claims[0], await self.items.run_of(claims[0])) if claims else None

    async def end(self, claim: Claim, state: RunState, now: datetime) -> None:
        """Be done with an item, and with its run if that was the last."""
        following: Claim | None = claim
        if claim.kind is not ItemKind.CLOSING:
            following = await self.items.finish(claim, {}, now)
        if following is not None:
            await self.items.close(following, state, Totals(), now, error="")

    async def end_next(
        self, now: datetime, state: RunState = RunState.SUCCEEDED
    ) -> RunRecord | None:
        """Take up an item and be done with it; return its run, None if no item waits."""
        taken = await self.take_up(now)
        if taken is None:
            return None
        claim, record = taken
        await self.end(claim, state, now)
        return record
