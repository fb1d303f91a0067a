"""What items need from the store, and the journal's way to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.service.outside.protocols import Ledger
from replicator.store.item_records import Claim, Piece
from replicator.store.records import ActionRecord, RunRecord, RunState, TagKey, Totals


class Items(Protocol):
    """Takes what the owners of items have to say; refuses with LeaseLost who is none any more."""

    async def run_of(self, claim: Claim) -> RunRecord: ...

    async def add(self, claim: Claim, pieces: Sequence[Piece], now: datetime) -> None: ...

    async def split(
        self,
        claim: Claim,
        kept: Mapping[Tag, Digest | None],
        others: Sequence[Piece],
        summary: Mapping[str, Any],
        now: datetime,
    ) -> None: ...

    async def known_repositories(self, claim: Claim) -> frozenset[str]: ...

    async def save(self, claim: Claim, actions: Sequence[ActionRecord]) -> None: ...

    async def summary(self, claim: Claim) -> Mapping[str, Any] | None: ...

    async def copied(self, claim: Claim) -> frozenset[TagKey]: ...

    async def summaries(self, claim: Claim) -> Sequence[Mapping[str, Any]]: ...

    async def is_cancelled(self, claim: Claim) -> bool: ...

    async def finish(
        self, claim: Claim, summary: Mapping[str, Any], now: datetime
    ) -> Claim | None: ...

    async def defer(
        self, claim: Claim, until: datetime, summary: Mapping[str, Any] | None = None
    ) -> None: ...

    async def release(
        self, claim: Claim, now: datetime, summary: Mapping[str, Any] | None = None
    ) -> None: ...

    async def close(
        self, claim: Claim, state: RunState, totals: Totals, now: datetime, *, error: str
    ) -> None: ...

    def fenced(self, ledger: Any, claim: Claim) -> Ledger:
        """Return a ledger that takes rows only while an item is this process's."""
        ...


class ItemBook:
    """Lets a journal save the actions of one item."""

    def __init__(self, items: Items, claim: Claim) -> None:
        self._items = items
        self._claim = claim

    async def save(self, run_id: str, actions: Sequence[ActionRecord], /) -> None:
        await self._items.save(self._claim, actions)
