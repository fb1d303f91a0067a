"""Pruning: tags whose source is gone, from the first suspicion to their removal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from replicator.errors import (
    Denied,
    NotFound,
    Rejected,
    ReplicatorError,
    StoreError,
    Unauthorized,
)
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import DestinationTag, Presence, Published
from replicator.planning.plan import Action, Decision
from replicator.planning.pruning import (
    Evidence,
    Missing,
    PrunePolicy,
    hold_back,
    judge,
    prune_action,
    why_held,
)
from replicator.planning.rule import Rule
from replicator.registry.protocols import RepositoryReader
from replicator.service.looking.destination_view import ABSENT, UNKNOWN, DestinationView
from replicator.service.outside.protocols import Ledger
from replicator.service.records.journal import Journal
from replicator.transfer.concurrency import together
from replicator.transfer.sides import DESTINATION
from replicator.values import dataclass

# Tags that are asked for at the same time, in each source repository.
_AT_ONCE: Final = 16
_NAME_UNKNOWN: Final = "NAME_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Gone:
    """Removals of tags that are proven to be gone, out of all that were *published*."""

    published: int
    removals: Sequence[Action]


class Pruning:
    """Finds out in the course of a run what is gone, and removes it at the run's end.

    Only then is it known how much it would be in all, and whether every list was complete.
    """

    def __init__(
        self,
        rule: Rule,
        journal: Journal,
        ledger: Ledger,
        *,
        clock: Callable[[], datetime],
        view: Callable[[RepositoryName], DestinationView],
        require_lease: Callable[[], None],
    ) -> None:
        self._rule = rule
        self._policy = PrunePolicy(rule.name, rule.prune_after)
        self._journal = journal
        self._notes = journal.notes
        self._ledger = ledger
        self._clock = clock
        self._view = view
        self._require_lease = require_lease
        self._published = 0
        self._judged: list[Action] = []

    async def look(
        self,
        source: RepositoryReader,
        listed: Collection[Tag],
        views: Iterable[DestinationView],
    ) -> None:
        """Look for tags that were published from *source* and are not *listed* any more.

        *listed* are all tags of a listing that was complete. An empty one says nothing, not even
        that a tag was missed once. Raises StoreError.
        """
        if not listed:
            return
        slots = asyncio.Semaphore(_AT_ONCE)

        async def settle(row: Published) -> Action:
            async with slots:
                return await self._judge(row, source, len(listed))

        for view in views:
            rows = await self._rows(view.name, source.name)
            self._published += len(rows)
            gone: list[Published] = []
            for row in rows:
                if _source_tag(row) in listed:
                    self._notes.has_returned(row.destination, row.tag)
                else:
                    gone.append(row)
            self._judged += await together(map(settle, gone))

    async def finish(self) -> None:
        """Remove what is proven to be gone, unless that needs a person. Raises StoreError."""
        if self._journal.is_dry_run:
            found = Gone(self._published, _proven(self._judged))
            self._journal.actions += _shown(self._judged, self._why_held(found))
            return
        await self.carry_out(self.settle())

    def settle(self) -> Gone:
        """Note what stays, and return what may be removed once all of the run is known."""
        for action in self._judged:
            if action.decision is Decision.SKIP:
                self._journal.counts["gone"] += 1
            elif action.decision is not Decision.PRUNE:
                self._journal.turn_down(action)
        return Gone(self._published, _proven(self._judged))

    async def carry_out(self, gone: Gone) -> None:
        """Remove what is gone, unless that needs a person. Raises StoreError."""
        why = self._why_held(gone)
        for action in gone.removals:
            if why:
                self._journal.turn_down(hold_back(action, why=why))
            else:
                await self.remove(action)

    def _why_held(self, gone: Gone) -> str:
        """Say why nothing is removed; empty if it is."""
        why = why_held(len(gone.removals), gone.published, max_prune=self._rule.max_prune)
        if not why and self._journal.is_incomplete:
            why = "the run could not list everything; another one will see"
        return why or self._journal.complaint

    async def remove(self, action: Action) -> None:
        """Delete a destination tag, and make sure that it is gone. Raises StoreError.

        It was looked at when it was judged, or when a plan was made: somebody may have moved it.
        """
        view = self._view(action.destination)
        try:
            changed = _changed(action, await view.look(action.tag))
            if changed is not None:
                self._journal.turn_down(changed)
                return
            self._require_lease()
            with suppress(NotFound):  # Somebody was quicker.
                await view.repository.delete_tag(action.tag)
            if (await view.look(action.tag)).presence is Presence.PRESENT:
                raise ReplicatorError(f"{action.destination}:{action.tag} was deleted but is there")
        except (Rejected, Denied, Unauthorized) as error:
            why = f"the destination does not delete the tag alone: {error}"
            self._journal.turn_down(hold_back(action, why=why))
            return
        except StoreError:
            raise
        except ReplicatorError as error:
            self._journal.fail(action, error, side=DESTINATION)
            return
        self._journal.prune(action)
        await self._ledger.remove_published(action.destination, [action.tag])

    async def _rows(self, destination: RepositoryName, source: RepositoryName) -> list[Published]:
        """Return what this rule published from one repository to another."""
        rows = await self._ledger.published(destination)
        return [
            row
            for row in rows.values()
            if row.rule == self._rule.name and row.source == f"{source}:{_source_tag(row)}"
        ]

    async def _judge(self, row: Published, source: RepositoryReader, listed: int) -> Action:
        """Weigh what there is to know of one tag; nobody is asked while it has to wait anyway."""
        missing = self._notes.missing_tags.get((row.destination, row.tag))
        now, run = self._clock(), self._journal.run
        waits = missing is not None and now - missing.since < self._rule.prune_after
        asked = Presence.ABSENT if waits else await _ask(source, _source_tag(row))
        if asked is Presence.ABSENT and missing is None:
            note = Missing(row.destination, row.tag, self._rule.name, now, run)
            self._notes.is_missing(note)
        elif asked is Presence.PRESENT:
            self._notes.has_returned(row.destination, row.tag)
        view = self._view(row.destination)
        is_due = missing is not None and not waits and asked is Presence.ABSENT
        seen = await _look(view, row.tag) if is_due else UNKNOWN
        evidence = Evidence(row, listed, asked, seen, missing, view.repository.deletes_tags)
        decision, reason = judge(evidence, self._policy, run=run, now=now)
        if is_due and seen == ABSENT:
            await self._forget(row)
        return prune_action(row, decision, reason)

    async def _forget(self, row: Published) -> None:
        """Take a tag out of the ledger that is neither here nor there."""
        if not self._journal.is_dry_run:
            self._notes.has_returned(row.destination, row.tag)
            await self._ledger.remove_published(row.destination, [row.tag])


def _proven(judged: Sequence[Action]) -> Sequence[Action]:
    return [each for each in judged if each.decision is Decision.PRUNE]


def _changed(action: Action, seen: DestinationTag) -> Action | None:
    """Return what becomes of a removal whose tag is not as it was; None if it is, or is gone."""
    if seen.presence is Presence.UNKNOWN:
        return hold_back(action, why="nobody can see what the destination has now")
    if seen in (ABSENT, action.found):
        return None
    reason = f"{action.reason}, but somebody else has moved it meanwhile"
    return replace(action, decision=Decision.CONFLICT, reason=reason)


def _source_tag(row: Published) -> Tag:
    return Tag(row.source.rpartition(":")[2])


async def _ask(source: RepositoryReader, tag: Tag) -> Presence:
    """Ask for the very tag; only a plain "not found" says that it is gone."""
    try:
        await source.resolve(tag)
    except NotFound as error:
        is_doubtful = _NAME_UNKNOWN in error.codes or await source.may_be_proxy(tag)
        return Presence.UNKNOWN if is_doubtful else Presence.ABSENT
    except ReplicatorError:
        return Presence.UNKNOWN
    return Presence.PRESENT


async def _look(view: DestinationView, tag: Tag) -> DestinationTag:
    try:
        return await view.look(tag)
    except ReplicatorError:
        return UNKNOWN


def _shown(judged: Sequence[Action], why: str) -> Iterable[Action]:
    """Return what a plan shows: removals that a run would hold back are still removals there."""
    for action in judged:
        is_held = action.decision is Decision.PRUNE and why
        yield (
            replace(action, reason=f"{action.reason}; a run holds it: {why}") if is_held else action
        )
