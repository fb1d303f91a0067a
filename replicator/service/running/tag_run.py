"""TagRun: one tag at a time, from what is known of it to what became of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from replicator.errors import NotFound, ReplicatorError
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.planning.content import ContentFilter
from replicator.planning.observation import DestinationTag, Presence, Published, SourceTag
from replicator.planning.plan import Action, Decision
from replicator.planning.prepared import Wanted
from replicator.registry.protocols import RepositoryReader
from replicator.service.looking.observing import Goal, Observer, Sighting
from replicator.service.running.left_behind import left_behind, left_behind_text, prefixed
from replicator.service.running.new_referrers import NewReferrers
from replicator.service.running.run_context import Handling, RunContext
from replicator.transfer.order import Destination, Order, Result
from replicator.transfer.sides import DESTINATION, SOURCE, reason_of, side_of
from replicator.values import dataclass

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlannedCopy:
    """A goal whose tag will be copied."""

    goal: Goal
    action: Action


class TagRun:
    """Observes, plans and copies tags of one source repository, all in the same manner.

    A failure is one tag's: it goes to the journal, and the other tags go on. *named* says that
    the rule names each tag, so that one that does not exist is a failure; a tag that was listed
    and is gone when its turn comes is none. *unlisted* says that it was listed elsewhere, and so
    were signatures.
    """

    def __init__(
        self,
        context: RunContext,
        source: RepositoryReader,
        handling: Handling,
        *,
        named: bool,
        unlisted: bool = False,
    ) -> None:
        self._context = context
        self._source = source
        self._handling = handling
        self._named = named
        self._journal = context.journal
        self._new_referrers = NewReferrers(
            context, source, handling, asks_for_signatures=named or unlisted
        )
        self._unchanged: set[str] = set()

    @property
    def unchanged(self) -> frozenset[str]:
        """Digits of the digests of tags that had not moved, and so were not copied."""
        return frozenset(self._unchanged)

    def settle(self, tag: Tag, goals: Sequence[Goal]) -> bool:
        """Be done with a tag that is declared never to move and was published: nobody is asked.

        Return whether it is such a tag.
        """
        rows = [goal.row for goal in goals if goal.row and goal.row.scope == self._handling.scope]
        if len(rows) < len(goals) or not self._handling.is_immutable(tag):
            return False
        for goal, row in zip(goals, rows, strict=True):
            remembered = Sighting(goal, DestinationTag(Presence.PRESENT, row.digest))
            self._journal.skip(self._plan(SourceTag(tag, None), remembered))
        return True

    def without_held(self, goals: Sequence[Goal]) -> tuple[Goal, ...]:
        """Return the *goals* without those that failed and are not due for another try."""
        left: list[Goal] = []
        for goal in goals:
            failing = self._journal.notes.held(goal.wanted.destination, goal.wanted.tag)
            if failing is None:
                left.append(goal)
                continue
            held = replace(_unplanned(goal), decision=Decision.BLOCKED, reason=failing.reason)
            self._show(held)
            self._journal.hold(held, failing)
        return tuple(left)

    async def copy_planned(self, source: SourceTag, copies: Sequence[PlannedCopy]) -> None:
        """Copy what was planned, without a look at anything. Raises StoreError.

        When the planned digest is gone, what its tag names by now is not what was reviewed; it
        does for whoever wants the tag to be whole again.
        """
        fallback = source.tag if self._handling.thorough else None
        await self._copy(source, copies, fallback=fallback)
        await self._journal.flush_if_due()

    async def carry_out(self, observer: Observer, tag: Tag, goals: Sequence[Goal]) -> None:
        """Do all that there is to do for one tag. Raises StoreError."""
        try:
            source, sightings = await observer.observe(tag, goals)
            if self._handling.content is not None:
                content = self._handling.content
                source, sightings = await self._check(content, source, sightings)
            planned = [await self._decide(source, sighting) for sighting in sightings]
            copies = [each for each in planned if each is not None]
            if copies and not self._journal.is_dry_run:
                await self._copy(source, copies, fallback=source.tag)
        except ReplicatorError as error:
            self._fail(goals, reason_of(error), side=side_of(error))
        except Exception as error:
            # A mistake of ours must not cost the other tags of the run.
            _log.exception("tag failed", extra={"source": f"{self._source.name}:{tag}"})
            self._fail(goals, ReplicatorError(f"internal error: {error!r}"), side="")
        await self._journal.flush_if_due()

    async def _decide(self, source: SourceTag, sighting: Sighting) -> PlannedCopy | None:
        """Plan one goal; return it if it has to be copied, else note what becomes of it."""
        if sighting.error is not None:
            self._journal.fail(_unplanned(sighting.goal), sighting.error, side=DESTINATION)
            return None
        clash = await self._namesake(sighting.goal)
        action = clash or self._plan(source, sighting)
        match action.decision:
            case Decision.COPY:
                return PlannedCopy(sighting.goal, action)
            case Decision.SKIP:
                return await self._skip(source, sighting, action)
            case _:
                self._journal.turn_down(action)
                return None

    async def _namesake(self, goal: Goal) -> Action | None:
        """Refuse a tag that would overwrite another one, where case makes no difference."""
        other = self._handling.planner.namesake(goal.wanted)
        if other is None or not await goal.view.repository.folds_tags():
            return None
        reason = f"differs only in case from {other}, which it would overwrite there"
        action = replace(_unplanned(goal), decision=Decision.CONFLICT, reason=reason)
        self._show(action)
        return action

    def note_capitals(self, goals: Sequence[Goal]) -> None:
        """See which tags differ in case alone; of those, the one that was published stays."""
        first = sorted(goals, key=lambda goal: goal.row is None)
        self._handling.planner.note_capitals(goal.wanted for goal in first)

    def _plan(self, source: SourceTag, sighting: Sighting) -> Action:
        goal = sighting.goal
        action = self._handling.planner.plan(sighting.candidate(source), keeps_tags=goal.keeps_tags)
        self._show(action)
        return action

    def _show(self, action: Action) -> None:
        """Keep an action for the plan that a dry run ends with."""
        if self._journal.is_dry_run:
            self._journal.actions.append(action)

    async def _check(
        self, content: ContentFilter, source: SourceTag, sightings: Sequence[Sighting]
    ) -> tuple[SourceTag, Sequence[Sighting]]:
        """Leave out what the rule turns down for its content, which only a new digest has read.

        Raises TransferFailed when the source does not answer.
        """
        from replicator.service.running.content_check import ContentCheck

        rule = self._context.rule.rule.name
        check = ContentCheck(self._source, content, self._handling, self._journal.notes, rule)
        source, left = await check.left(source, sightings)
        if len(left) < len(sightings):
            self._journal.leave_out(f"{self._source.name}:{source.tag}", check.reason)
        if not left:
            self._journal.counts["selected"] -= 1
        return source, left

    async def _skip(
        self, source: SourceTag, sighting: Sighting, action: Action
    ) -> PlannedCopy | None:
        """Leave a tag as it is, unless something new refers to it."""
        goal, row = sighting.goal, self._learnt(source, sighting)
        try:
            if goal.row is not None and self._new_referrers.are_due(goal.row):
                if await self._new_referrers.are_there(goal, goal.row):
                    reason = "something new refers to it at the source"
                    return PlannedCopy(goal, replace(action, decision=Decision.COPY, reason=reason))
                row = replace(row or goal.row, referrers_at=self._context.clock())
        except ReplicatorError as error:
            self._journal.fail(action, reason_of(error), side=side_of(error))
            return None
        self._journal.skip(action, row, counted=self._handling.is_counted)
        if source.digest is not None:
            self._unchanged.add(source.digest.hex)
        return None

    def _learnt(self, source: SourceTag, sighting: Sighting) -> Published | None:
        """Return the row that the ledger should have of a tag left as it is, if it is another."""
        row, digest = sighting.goal.row, sighting.seen.digest
        if source.digest is None or digest is None:
            return None
        if row is None or row.source_digest != source.digest:
            return self._row(sighting.goal, source.digest, digest)
        return replace(row, confirmed_at=self._context.clock()) if sighting.looked else None

    async def _copy(
        self, source: SourceTag, copies: Sequence[PlannedCopy], *, fallback: Tag | None
    ) -> None:
        """Copy one image to all destinations that need it, and note what became of each.

        *fallback* is what to read when the source has forgotten the digest.
        """
        with self._journal.carrying() as brought:
            order = Order(
                self._source,
                source.digest or source.tag,
                tuple(
                    Destination(each.goal.view.repository, each.goal.wanted.tag) for each in copies
                ),
                self._handling.platforms,
                self._handling.referrers,
                self._handling.foreign_layers,
                fallback,
                self._handling.repoints,
                brought.append,
                self._handling.thorough,
            )
            async with self._context.images:
                results = await self._context.copier.copy(order)
            rest = await self._left_behind(results)
        # All at once, so that nobody finds it counted twice, or not at all.
        for each, result in zip(copies, results, strict=True):
            reason = f"{each.action.reason}{rest}"
            self._note(replace(each, action=replace(each.action, reason=reason)), result)
        for each, result in zip(copies, results, strict=True):
            if result.attached:
                await self._learn_attached(each.goal, result)

    async def _learn_attached(self, goal: Goal, result: Result) -> None:
        """Have the ledger know the signatures that came along, as it does those brought later."""
        name, source = goal.view.name, goal.wanted.source
        rows = await self._context.rows.published(name, result.attached)
        for tag, digest in result.attached.items():
            wanted = Wanted(source, SourceTag(tag, digest), name, tag)
            row = self._row(Goal(wanted, goal.view, row=rows.get(tag)), digest, digest)
            self._journal.learn(replace(row, scope=""))

    async def _left_behind(self, results: Sequence[Result]) -> str:
        """Say what became of the referrers of an index that was written with some platforms alone.

        They refer to its digest, which the destination does not have; those of its images are
        copied.
        """
        if self._handling.repoints:
            return _repointed(results)
        if not self._handling.referrers:
            return ""
        return prefixed(await left_behind(self._source, results))

    def _note(self, copy: PlannedCopy, result: Result) -> None:
        match result:
            case Result(error=None, source_digest=Digest() as source, digest=Digest() as digest):
                row = self._row(copy.goal, source, digest)
                if self._handling.referrers:
                    row = replace(row, referrers_at=row.confirmed_at)
                self._journal.copy(copy.action, result, row)
            case Result(error=NotFound(), side="source", source_digest=None) if not self._named:
                self._journal.counts["gone"] += 1
            case Result(error=ReplicatorError() as error):
                self._journal.fail(copy.action, error, side=result.side, result=result)

    def _row(self, goal: Goal, source: Digest, digest: Digest) -> Published:
        """Return the ledger's row for a destination tag that now names *digest*."""
        now, before = self._context.clock(), goal.row
        is_same = before is not None and before.digest == digest
        return Published(
            goal.view.name,
            goal.wanted.tag,
            f"{goal.wanted.source}:{goal.wanted.source_tag.tag}",
            source,
            digest,
            self._context.rule.rule.name,
            before.published_at if before is not None and is_same else now,
            now,
            before.referrers_at if before is not None and is_same else None,
            self._journal.run,
            self._journal.number,
            self._handling.scope,
        )

    def _fail(self, goals: Sequence[Goal], error: ReplicatorError, *, side: str) -> None:
        """Note that a tag could not be handled at all, for each of its goals."""
        for goal in goals:
            if isinstance(error, NotFound) and side == SOURCE and not self._named:
                self._journal.counts["gone"] += 1
            else:
                self._journal.fail(_unplanned(goal), error, side=side)


def _repointed(results: Sequence[Result]) -> str:
    """Say what became of the referrers of an index, which is the same for all destinations."""
    written = [result for result in results if result.error is None]
    number = max((result.repointed for result in written), default=0)
    said = f"; {number} of the index's referrers refer to the new one" if number else ""
    number = max((result.left_behind for result in written), default=0)
    return said + prefixed(left_behind_text(number))


def _unplanned(goal: Goal) -> Action:
    """Return an action for a goal that was never decided about, so that it has a record."""
    wanted = goal.wanted
    return Action(
        Decision.COPY,
        "could not be observed",
        wanted.destination,
        wanted.tag,
        wanted.source,
        wanted.source_tag.tag,
        None,
    )
