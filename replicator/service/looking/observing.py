"""Observer: what source and destinations of a tag hold, by the cheapest way that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from replicator.errors import Denied, LoginRefused, ReplicatorError, Unauthorized
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.planning.observation import DestinationTag, Presence, Published, SourceTag
from replicator.planning.planner import Candidate
from replicator.planning.prepared import Wanted
from replicator.planning.rule import Overwrite
from replicator.registry.protocols import RepositoryReader
from replicator.service.looking.destination_view import UNKNOWN, DestinationView
from replicator.service.looking.freshness import Freshness
from replicator.service.looking.ledger_reader import LedgerReader
from replicator.transfer.sides import reading_source
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """One destination tag that a source tag should become, and the ledger's row about it.

    With *keeps_tags* both have the same name.
    """

    wanted: Wanted
    view: DestinationView
    keeps_tags: bool = False
    row: Published | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known of a goal; ``looked`` says whether the destination was asked just now.

    ``error`` is the destination's, if it did not answer; ``refusal`` is what it said if it lets
    nobody look, who may yet be let write.
    """

    goal: Goal
    seen: DestinationTag
    looked: bool = False
    error: ReplicatorError | None = None
    refusal: str = ""

    def candidate(self, source: SourceTag) -> Candidate:
        wanted = replace(self.goal.wanted, source_tag=source)
        return Candidate(wanted, self.goal.row, self.seen, self.refusal)


class Observer:
    """Observes the tags of one source repository.

    A tag with a fresh row costs one HEAD at the source, unless the listing told what it names,
    and nothing at the destination. One that the ledger has never seen costs nothing at the
    source, as the copy reads it, and at the destination nothing or a share of one listing. With
    *thorough*, for showing a plan, both sides are asked by HEAD instead.
    """

    def __init__(
        self,
        reader: RepositoryReader,
        rows: LedgerReader,
        freshness: Freshness,
        *,
        overwrite: Overwrite,
        thorough: bool,
        now: datetime,
    ) -> None:
        self._reader = reader
        self._rows = rows
        self._freshness = freshness
        self._overwrite = overwrite
        self._thorough = thorough
        self._now = now

    async def prepare(self, goals: Sequence[Goal]) -> Sequence[Goal]:
        """Add the ledger's rows to *goals*, and list the destinations where that pays."""
        tags: dict[DestinationView, list[Tag]] = {}
        for goal in goals:
            tags.setdefault(goal.view, []).append(goal.wanted.tag)
        known: dict[DestinationView, dict[Tag, Published]] = {}
        for view, wanted in tags.items():
            known[view] = dict(await self._rows.published(view.name, wanted))
            await view.expect(len(set(wanted) - known[view].keys()))
        return [replace(goal, row=known[goal.view].get(goal.wanted.tag)) for goal in goals]

    async def observe(
        self, tag: Tag, goals: Sequence[Goal]
    ) -> tuple[SourceTag, Sequence[Sighting]]:
        """Learn what the source names *tag*, as far as that matters, and what its goals hold.

        Raises TransferFailed when the source does not answer.
        """
        sightings = [await self._look(goal) for goal in goals]
        # All goals of a tag come from one listing, which may have said what it names.
        digest = goals[0].wanted.source_tag.digest
        if digest is None and (self._thorough or any(map(_needs_source, sightings))):
            with reading_source():
                digest = (await self._reader.resolve(tag)).digest
        if self._overwrite is Overwrite.IF_OURS:
            sightings = [await self._look_before_overwriting(each, digest) for each in sightings]
        return SourceTag(tag, digest), sightings

    async def _look(self, goal: Goal) -> Sighting:
        """Look at the destination if neither ledger nor listing says enough."""
        row = goal.row
        if row is not None and not self._freshness.is_due(row.confirmed_at, now=self._now):
            return Sighting(goal, DestinationTag(Presence.PRESENT, row.digest))
        presence = Presence.PRESENT if row else goal.view.presence(goal.wanted.tag)
        careful = self._thorough or self._overwrite is not Overwrite.ALWAYS
        if presence is Presence.PRESENT or (presence is Presence.UNKNOWN and careful):
            return await self._ask(goal)
        return Sighting(goal, DestinationTag(presence))

    async def _look_before_overwriting(self, sighting: Sighting, digest: Digest | None) -> Sighting:
        """Make sure that a tag that will be moved is still ours, whatever the ledger says."""
        row = sighting.goal.row
        if row is None or sighting.looked or row.source_digest == digest:
            return sighting
        return await self._ask(sighting.goal)

    async def _ask(self, goal: Goal) -> Sighting:
        """Ask the destination what a goal's tag names.

        Who is refused may only push, or looks for a project that the push will make: the copy
        finds out. Of a login that is no good that much is certain, and there is no copy to say
        so after a plan.
        """
        try:
            return Sighting(goal, await goal.view.ask(goal.wanted.tag), looked=True)
        except (Unauthorized, Denied) as error:
            if self._thorough and isinstance(error, LoginRefused):
                return Sighting(goal, UNKNOWN, error=error)
            return Sighting(goal, UNKNOWN, looked=True, refusal=str(error))
        except ReplicatorError as error:
            return Sighting(goal, UNKNOWN, error=error)


def _needs_source(sighting: Sighting) -> bool:
    """Say whether what to do depends on what the source has now."""
    return sighting.goal.row is not None or sighting.seen.presence is Presence.PRESENT
