"""SharedRun: what the items of one run have in common in this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from replicator.errors import ReplicatorError
from replicator.planning.prepared import PreparedRule, prepare
from replicator.service.looking.only import Only
from replicator.service.running.means import Means, Room
from replicator.store.item_records import Claim
from replicator.store.records import RuleNotes, RunRecord
from replicator.values import dataclass

# Runs that are remembered from one of their items to the next.
_REMEMBERED: Final = 64


@dataclass(frozen=True, slots=True)
class SharedRun:
    """A run, its rule made ready, and how much of it may go on at once.

    *rule* is None when it is of no use, and *error* says why; *notes* are what earlier runs noted.
    """

    record: RunRecord
    only: Only | None
    rule: PreparedRule | None
    error: str
    notes: RuleNotes
    room: Room

    @property
    def is_retry(self) -> bool:
        """Whether tags that failed before are tried at once."""
        return self.record.retry or self.only is not None


class SharedRuns:
    """Remembers the latest runs, which *read* finds in the database."""

    def __init__(self, means: Means, read: Callable[[Claim], Awaitable[RunRecord]]) -> None:
        self._means = means
        self._read = read
        self._known: OrderedDict[int, SharedRun] = OrderedDict()

    async def of(self, claim: Claim) -> SharedRun:
        """Return the run of an item. Raises StoreError."""
        known = self._known.get(claim.run)
        if known is None:
            made = await self._make(await self._read(claim))
            known = self._known.setdefault(claim.run, made)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(claim.run)
        return known

    def forget(self, claim: Claim) -> None:
        """Forget a run that is over."""
        self._known.pop(claim.run, None)

    async def _make(self, record: RunRecord) -> SharedRun:
        only = None if record.only is None else Only.of(record.only)
        rule = record.rule if only is None else only.limit(record.rule)
        notes = await self._means.notes.of_rule(rule.name)
        prepared, error = None, ""
        try:
            ready = prepare(rule, where=f'rule "{rule.name}": ')
            await self._means.registries.require_logins(ready.places)
            prepared = ready
        except ReplicatorError as refused:
            error = str(refused)
        return SharedRun(record, only, prepared, error, notes, self._means.room())
