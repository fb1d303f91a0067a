"""Attempt: one worker's try at an item, and what is left of it however it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from datetime import timedelta
from typing import Final

from replicator.planning.plan import Action
from replicator.service.items.item_book import ItemBook, Items
from replicator.service.items.shared_run import SharedRun
from replicator.service.outside.requests import RequestCounts, by_name
from replicator.service.processes.portion import Tags
from replicator.service.processes.steps import PassStep, Step
from replicator.service.records.journal import Journal
from replicator.service.records.summary import Summary
from replicator.service.running.means import Means
from replicator.service.running.pruning import Gone, Pruning
from replicator.service.running.run_context import RunContext
from replicator.store.item_records import Claim, ItemKind, Piece
from replicator.store.records import TagKey
from replicator.transfer.order import Tally
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier attempts at an item left: bytes and requests, what was found out about all of a
    repository that others share in by now, and the tags that they copied."""

    summary: Summary = field(default_factory=Summary)
    copied: frozenset[TagKey] = frozenset()


# However long a registry wants to be left alone, somebody looks again after so much.
_LONGEST: Final = timedelta(hours=24)


class Attempt:
    """Keeps the journal of an item, and writes down what it came to.

    *earlier* is what the attempts before it left. *let_go* is called when nothing but the end of
    the item is left to write.
    """

    def __init__(
        self,
        means: Means,
        items: Items,
        claim: Claim,
        shared: SharedRun,
        earlier: Earlier,
        requests: RequestCounts,
        pass_step: PassStep,
        let_go: Callable[[], None],
    ) -> None:
        self.claim = claim
        self.shared = shared
        self._means = means
        self._items = items
        self._carried = earlier.summary
        self._requests = requests
        self._pass = pass_step
        self.let_go = let_go
        self._gone: Gone | None = None
        self._shared_facts = Summary()
        self.ledger = items.fenced(means.ledger, claim)
        self.journal: Journal = means.journal(
            shared.rule.rule if shared.rule else shared.record.rule,
            ItemBook(items, claim),
            retry=shared.is_retry,
            record=shared.record,
            ledger=self.ledger,
        )
        self.journal.notes.know(shared.notes)
        self.journal.go_on_after(earlier.copied)

    def context(self) -> RunContext:
        """Return what the repositories of the item share; its rule must be of use."""
        assert self.shared.rule is not None  # noqa: S101 - the caller has looked
        return self._means.context(
            self.shared.rule,
            self.journal,
            room=self.shared.room,
            only=self.shared.only,
            ledger=self.ledger,
        )

    def settle(self, pruning: Pruning) -> None:
        """Note what is gone from the repositories; what may go is for the whole run to say."""
        if self._gone is None:
            self._gone = pruning.settle()

    async def hand_over(self, pruning: Pruning, kept: Tags, others: Sequence[Tags]) -> None:
        """Leave tags of a repository to others, who will know nothing of the rest of it."""
        before = self.journal.counts.copy()
        self.settle(pruning)
        facts = Summary(counts=self.journal.counts - before)
        facts.counts["failed"] += self.journal.is_incomplete
        self._add_gone(facts)
        self._shared_facts = facts
        pieces = [Piece(self.claim.piece.repositories, tags) for tags in others]
        self._pass(Step.BEFORE_SPLIT)
        await self._items.split(
            self.claim, kept, pieces, self._so_far().to_json(), self._means.clock()
        )
        self._pass(Step.AFTER_SPLIT)

    async def finish(self, *, error: str = "") -> Claim | None:
        """Be done with the item; return the closing of its run if that is next.

        Raises LeaseLost, StoreError.
        """
        await self.journal.flush()
        self._pass(Step.BEFORE_ITEM_DONE)
        total = self._total(error)
        self.let_go()
        following = await self._items.finish(self.claim, total.to_json(), self._means.clock())
        self._pass(Step.AFTER_ITEM_DONE)
        return following

    async def put_off(self, seconds: float) -> None:
        """Let somebody go on with the item after so long. Raises LeaseLost, StoreError."""
        await self.journal.flush()
        wait = min(timedelta(seconds=seconds), _LONGEST)
        until = self._means.clock() + wait
        await self._items.defer(self.claim, until, self._so_far().to_json())

    async def release(self) -> None:
        """Give the item back with what was done. Raises LeaseLost, StoreError."""
        await self.journal.flush()
        self._pass(Step.BEFORE_RELEASE)
        await self._items.release(self.claim, self._means.clock(), self._so_far().to_json())
        self._pass(Step.AFTER_RELEASE)

    def moved(self) -> Tally:
        """Return what this attempt moved by now; a closing only sums up what others did."""
        return Tally() if self.claim.kind is ItemKind.CLOSING else self.journal.so_far()

    def _so_far(self) -> Summary:
        """Return what the next attempt has to know of this one and those before."""
        summary = Summary()
        summary.add(self._carried)
        summary.add(self._shared_facts)
        summary.add_traffic(self._traffic())
        return summary

    def _total(self, error: str) -> Summary:
        """Return all that the item came to."""
        summary = self._traffic()
        summary.counts.update(self.journal.counts)
        summary.held = self.journal.held
        summary.seen = set(self.journal.notes.seen)
        self._add_gone(summary)
        if error:
            summary.errors.append(error)
            summary.incomplete = True
        summary.add(self._carried)
        return summary

    def _traffic(self) -> Summary:
        summary = Summary()
        summary.add_traffic(Summary(tally=self.journal.tally))
        summary.add_requests(by_name(self._requests))
        return summary

    def _add_gone(self, summary: Summary) -> None:
        summary.incomplete |= self.journal.is_incomplete
        if self._gone is not None:
            removals: Sequence[Action] = self._gone.removals
            summary.published += self._gone.published
            summary.removals += removals
