"""ItemRunner: carries out items of runs that services share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

from replicator.errors import LeaseLost, ReplicatorError, StoreError
from replicator.planning.prepared import PreparedRule
from replicator.service.items.attempt import Attempt, Earlier
from replicator.service.items.closing import close
from replicator.service.items.dividing import divide
from replicator.service.items.item_book import Items
from replicator.service.items.shared_run import SharedRuns
from replicator.service.outside.requests import RequestCounts, counted_requests
from replicator.service.processes.portion import LARGEST, HandOver, Portion
from replicator.service.processes.signs_of_life import Ending, SignsOfLife
from replicator.service.processes.steps import PassStep, pass_by
from replicator.service.records.report import RunReport
from replicator.service.records.summary import Summary
from replicator.service.running.means import Means, single_error
from replicator.service.running.repository_run import RepositoryRun
from replicator.service.running.run_context import Handling
from replicator.store.item_records import Claim, ItemKind
from replicator.store.records import RunState

_log = logging.getLogger(__name__)

# After which an item is tried again that the database broke off.
_AGAIN_AFTER: Final = timedelta(seconds=5)


class ItemRunner:
    """Carries out what a worker took up; *life* has to be kept meanwhile.

    *wake* tells the workers of this process of new items. What an item came to is written down by
    whoever has its lease; everything else is for the next one to do again.
    """

    def __init__(
        self,
        *,
        means: Means,
        items: Items,
        life: SignsOfLife,
        wake: Callable[[], None],
        pass_step: PassStep = pass_by,
        largest: int = LARGEST,
    ) -> None:
        self._means = means
        self._items = items
        self._life = life
        self._wake = wake
        self._pass = pass_step
        self._largest = largest
        self._runs = SharedRuns(means, items.run_of)

    async def carry_out(self, claim: Claim) -> RunReport | None:
        """Carry out an item, and the closing of its run if it was the last; return its report.

        When cancelled, what was done is written down and the item is given back.
        """
        following: Claim | RunReport | None = claim
        while isinstance(following, Claim):
            following = await self._settle(following)
        return following

    async def drain(self) -> None:
        """Begin no further copies, and return when those under way are done."""
        await self._means.valve.close()

    async def _settle(self, claim: Claim) -> Claim | RunReport | None:
        """Carry out one item; the database's failures are for the next attempt to get over."""
        try:
            with self._life.watched(claim.key), counted_requests() as requests:
                attempt = await self._begin(claim, requests)
                with self._life.moved.counted(claim.run_id, attempt.moved):
                    return await self._end(attempt, requests)
        except LeaseLost as error:
            _log.warning("item lost", extra={"error": str(error)})
        except StoreError as error:
            _log.warning("item put off", extra={"error": str(error)})
            await self._put_off(claim)
        return None

    async def _begin(self, claim: Claim, requests: RequestCounts) -> Attempt:
        shared = await self._runs.of(claim)
        earlier = await self._earlier(claim)
        let_go = partial(self._life.let_go, claim.key)
        return Attempt(
            self._means, self._items, claim, shared, earlier, requests, self._pass, let_go
        )

    async def _earlier(self, claim: Claim) -> Earlier:
        if claim.attempt == 1 or claim.kind is ItemKind.CLOSING:
            return Earlier()
        summary = Summary.from_json(await self._items.summary(claim))
        if claim.kind is ItemKind.LISTING:
            return Earlier(summary)
        return Earlier(summary, await self._items.copied(claim))

    async def _end(self, attempt: Attempt, requests: RequestCounts) -> Claim | RunReport | None:
        """Carry out an item, and see to it that whatever comes of it is written down."""
        claim = attempt.claim
        try:
            with single_error():
                return await self._work(attempt, requests)
        except asyncio.CancelledError:
            match self._life.why_ended(claim.key):
                case Ending.CANCELLED:
                    return await attempt.finish()
                case Ending.TAKEN:
                    raise LeaseLost(Ending.TAKEN.value) from None
            await attempt.release()
            raise
        except StoreError:
            raise
        except Exception as error:
            told = (
                str(error) if isinstance(error, ReplicatorError) else f"internal error: {error!r}"
            )
            _log.exception("item failed")
            if claim.kind is ItemKind.CLOSING:
                return await self._give_up(attempt, told)
            attempt.journal.counts["failed"] += 1
            return await attempt.finish(error=told)

    async def _work(self, attempt: Attempt, requests: RequestCounts) -> Claim | RunReport | None:
        rule = attempt.shared.rule
        if attempt.claim.kind is ItemKind.CLOSING:
            report = await close(attempt, self._means, self._items, requests, self._pass)
            self._runs.forget(attempt.claim)
            self._life.moved.forget(attempt.claim.run_id)
            return report
        if rule is None:
            return await attempt.finish(error=attempt.shared.error)
        if attempt.claim.kind is ItemKind.LISTING:
            return await divide(attempt, rule, self._means, self._items, self._pass, self._wake)
        return await self._copy(attempt, rule)

    async def _copy(self, attempt: Attempt, rule: PreparedRule) -> Claim | None:
        """Bring the repositories of an item to their destinations."""
        context, handling = attempt.context(), Handling.of_selected(rule)
        piece = attempt.claim.piece
        async with asyncio.TaskGroup() as group:
            for name in piece.repositories:
                portion = self._portion(attempt, rule, partial(attempt.hand_over, context.pruning))
                run = RepositoryRun(context, name, handling, tags=piece.tags, portion=portion)
                group.create_task(run.carry_out())
        attempt.settle(context.pruning)
        if attempt.journal.put_off is not None:
            await attempt.put_off(attempt.journal.put_off)
            return None
        return await attempt.finish()

    def _portion(self, attempt: Attempt, rule: PreparedRule, hand_over: HandOver) -> Portion | None:
        """Return how much of a repository is this item's; None if that is all of it.

        Where two tags may become one, somebody has to see both.
        """
        piece = attempt.claim.piece
        keeps_tags = all(template.keeps_tags for template in rule.templates)
        if piece.tags is not None or len(piece.repositories) > 1 or not keeps_tags:
            return None
        return Portion(hand_over, largest=self._largest)

    async def _give_up(self, attempt: Attempt, error: str) -> RunReport:
        """End a run that cannot be summed up."""
        report = attempt.journal.report(RunState.FAILED, error=error)
        attempt.let_go()
        await self._items.close(
            attempt.claim, report.state, report.totals, report.finished_at, error=error
        )
        return report

    async def _put_off(self, claim: Claim) -> None:
        """Let the item wait for a moment; if even that fails, its lease will end."""
        try:
            await self._items.defer(claim, self._means.clock() + _AGAIN_AFTER)
        except LeaseLost as error:
            _log.warning("item lost", extra={"error": str(error)})
        except StoreError as error:
            _log.warning("item left to its lease", extra={"error": str(error)})
