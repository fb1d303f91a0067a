"""RepositoryRun: one source repository of a run, from its listing to its tags."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from itertools import groupby

from replicator.errors import InvalidReference, LayoutError, NotFound
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import SourceTag
from replicator.planning.prepared import PreparedRule, Route, Wanted
from replicator.planning.rule import Prune
from replicator.planning.selection import Verdict
from replicator.service.looking.destination_view import DestinationView
from replicator.service.looking.listing import TagListing
from replicator.service.looking.observing import Goal, Observer
from replicator.service.processes.portion import GivenTags, Portion, Tags
from replicator.service.running.run_context import Handling, RunContext
from replicator.service.running.tag_run import TagRun
from replicator.transfer.sides import DESTINATION, SOURCE
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class _Way:
    """A route, and what has been seen where it ends."""

    route: Route
    view: DestinationView

    def goal(self, verdict: Verdict) -> Goal:
        wanted = self.route.wanted(verdict.tag, verdict.captures)
        return Goal(wanted, self.view, keeps_tags=self.route.template.keeps_tags)


class RepositoryRun:
    """Brings the tags of one source repository to their destinations, as they become known.

    *handling* says how the rule's tags are treated. It is the same for all repositories of a
    run that may meet, as it remembers who writes what. *tags* are what was listed before; of what
    is listed now, *portion* leaves some to others.
    """

    def __init__(
        self,
        context: RunContext,
        name: RepositoryName,
        handling: Handling,
        *,
        tags: Tags | None = None,
        portion: Portion | None = None,
    ) -> None:
        self._context = context
        self._name = name
        self._handling = handling
        self._journal = context.journal
        self._source = context.sources.repository(name)
        self._portion = portion
        now, selector = context.clock(), context.rule.selector
        self._listing: TagListing | GivenTags = (
            TagListing(self._source, selector, now=now, at_least=_at_least(context.rule))
            if tags is None
            else GivenTags(tags, selector)
        )
        self._observer = Observer(
            self._source,
            context.rows,
            context.freshness,
            overwrite=context.rule.rule.overwrite,
            thorough=context.journal.is_dry_run,
            now=now,
        )

    async def carry_out(self) -> None:
        """Do all that there is to do; what fails is in the journal. Raises StoreError."""
        try:
            routes = self._context.rule.routes(self._name)
            ways = [_Way(route, self._context.view(route.destination)) for route in routes]
        except (InvalidReference, LayoutError) as error:
            self._journal.miss(str(self._name), error, side=DESTINATION)
            return
        tags = self._tag_run(self._handling, named=self._listing.is_literal)
        prunes, listed = self._context.rule.rule.prune is Prune.MIRROR, set[Tag]()
        async with asyncio.TaskGroup() as group:
            async for verdicts in self._listing.batches():
                if prunes:
                    listed.update(verdict.tag.tag for verdict in verdicts)
                if self._portion is not None:
                    verdicts = self._portion.keep(verdicts)
                await self._start(group, tags, self._goals(verdicts, ways))
            if self._portion is not None:
                # While the first tags are copied, so that others need not wait for them.
                await self._look_for_gone(listed, ways)
                await self._portion.finish()
        if self._portion is None:
            await self._look_for_gone(listed, ways)
        await self._carry_out_digest_tags(tags.unchanged, ways)

    async def _look_for_gone(self, listed: Collection[Tag], ways: Sequence[_Way]) -> None:
        """Note what the listing lacks, now that it has ended."""
        self._note_incomplete()
        if self._context.rule.rule.prune is Prune.MIRROR and self._is_complete:
            views = [way.view for way in ways]
            await self._context.pruning.look(self._source, listed, views)

    @property
    def _is_complete(self) -> bool:
        """Whether all tags of the repository were listed, and no others were named."""
        is_list = isinstance(self._listing, TagListing) and not self._listing.is_literal
        return is_list and self._listing.error is None

    def _note_incomplete(self) -> None:
        """Note why the listing broke off, if it did.

        A catalogue also shows repositories that are empty or were deleted.
        """
        if isinstance(self._listing, TagListing):
            self._journal.counts["selected"] += self._listing.held_back
        error = self._listing.error
        discovered = self._context.rule.source.repositories is None
        if error is not None and not (discovered and isinstance(error, NotFound)):
            self._journal.miss(str(self._name), error, side=SOURCE)

    async def _carry_out_digest_tags(self, unchanged: frozenset[str], ways: Sequence[_Way]) -> None:
        """Bring signatures that were added, or changed, after their images had been copied.

        Cosign keeps them under tags of their own, which the listing shows.
        """
        if not self._handling.referrers or self._handling.scope:
            return
        goals = [
            Goal(
                Wanted(self._name, SourceTag(tag.tag, tag.digest), way.view.name, tag.tag), way.view
            )
            for digits, tags in self._listing.digest_tags.items()
            if digits in unchanged
            for tag in tags
            for way in ways
        ]
        tags = self._tag_run(Handling.of_digest_tags(self._context.rule), named=False)
        async with asyncio.TaskGroup() as group:
            await self._start(group, tags, goals)

    def _tag_run(self, handling: Handling, *, named: bool) -> TagRun:
        unlisted = isinstance(self._listing, GivenTags)
        return TagRun(self._context, self._source, handling, named=named, unlisted=unlisted)

    def _goals(self, verdicts: Sequence[Verdict], ways: Sequence[_Way]) -> list[Goal]:
        """Return where the selected tags go; the others are shown in a plan."""
        goals: list[Goal] = []
        for verdict in verdicts:
            only = self._context.only
            if only is not None and not only.includes(self._name, verdict.tag.tag):
                continue
            if not verdict.selected:
                self._leave_out(verdict)
                continue
            self._journal.counts["selected"] += 1
            try:
                goals += [way.goal(verdict) for way in ways]
            except InvalidReference as error:
                self._journal.miss(f"{self._name}:{verdict.tag.tag}", error, side=SOURCE)
        return goals

    def _leave_out(self, verdict: Verdict) -> None:
        self._journal.leave_out(f"{self._name}:{verdict.tag.tag}", verdict.reason)

    async def _start(self, group: asyncio.TaskGroup, tags: TagRun, goals: Sequence[Goal]) -> None:
        """Start a task for each tag that needs one, as many at once as the run may have."""
        slots = self._context.tags
        prepared = await self._observer.prepare(goals)
        tags.note_capitals(prepared)
        for tag, its_goals in groupby(prepared, key=lambda goal: goal.wanted.source_tag.tag):
            each = tuple(its_goals)
            if tags.settle(tag, each):
                continue
            each = tags.without_held(each)
            if not each:
                continue
            await slots.acquire()
            task = group.create_task(tags.carry_out(self._observer, tag, each))
            task.add_done_callback(lambda _: slots.release())


def _at_least(rule: PreparedRule) -> int:
    """Return how many tags a repository must have; of several only the run's end tells."""
    return rule.rule.tags.min_tags if rule.source.repository is not None else 0
