"""Runner: rules, from what they say to what became of each tag."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final, TypeAlias

from replicator.errors import (
    ConfigError,
    LayoutError,
    LeaseLost,
    RegistryError,
    ReplicatorError,
    RunActive,
    StoreError,
)
from replicator.oci.reference import RepositoryName
from replicator.planning.prepared import PreparedRule, prepare
from replicator.planning.rule import Rule
from replicator.service.copy_slots import CopySlots, Valve
from replicator.service.discovering import discover
from replicator.service.estimating import with_sizes
from replicator.service.freshness import CONFIRM_AFTER, Freshness
from replicator.service.journal import Journal
from replicator.service.lease import Lease
from replicator.service.ledger_reader import LedgerReader
from replicator.service.only import Only
from replicator.service.plan_file import PlannedRule
from replicator.service.plan_run import PlanRun, changes_since
from replicator.service.protocols import Copier, Ledger, Notes, Runs
from replicator.service.registries import Registries
from replicator.service.report import RunReport
from replicator.service.repository_run import RepositoryRun
from replicator.service.requests import counted_requests
from replicator.service.run_context import Handling, RunContext
from replicator.service.run_notes import RunNotes
from replicator.service.shared_sources import SharedSources
from replicator.store.records import RunRecord, RunState
from replicator.transfer.concurrency import first_error, together
from replicator.transfer.sides import SOURCE

_log = logging.getLogger(__name__)

# Seconds between two signs of life; a third of what others wait for one.
_RENEW_EVERY: Final = 20.0
# Seconds between two looks whether somebody wants a run to end; that has to act within five.
_LOOK_EVERY: Final = 2.0
_TAKEN: Final = "another process took this one for lost, and goes on with the run"
# Changes since a plan was made that a message names.
_SHOWN: Final = 10

Work: TypeAlias = Callable[[RunContext], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RunLimits:
    """How much goes on at once: *rules* of a runner; the rest, of each rule.

    How many requests there are at once is for the registries' own limits to say; these keep
    enough of them waiting, and memory flat.
    """

    rules: int = 8
    repositories: int = 32
    tags: int = 128
    images: int = 50


class Runner:
    """Carries out rules: discovers, observes, plans and copies, all in one stream.

    What runs at the same time shares registries and transfer. *lease* is told when the database
    took a sign of life. *sleep*, *clock* (in UTC) and *random* are for tests to choose.
    """

    def __init__(
        self,
        *,
        registries: Registries,
        copier: Copier,
        ledger: Ledger,
        runs: Runs,
        notes: Notes,
        clock: Callable[[], datetime],
        confirm_after: timedelta = CONFIRM_AFTER,
        confirm_share: float = 0.0,
        limits: RunLimits | None = None,
        random: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        lease: Lease | None = None,
    ) -> None:
        self._registries = registries
        self._copier = copier
        self._ledger = ledger
        self._rows = LedgerReader(ledger)
        self._runs = runs
        self._notes = notes
        self._clock = clock
        self._limits = limits or RunLimits()
        self._freshness = Freshness(
            confirm_after,
            random=random or Random(),  # noqa: S311
            share=confirm_share,
        )
        self._sleep = sleep
        self._valve = Valve()
        self._lease = lease or Lease()
        self._under_way: dict[str, asyncio.Task[object]] = {}
        self._cancelled: set[str] = set()
        self._taken: set[str] = set()

    async def run(
        self, rule: Rule, *, trigger: str, dry_run: bool = False, retry: bool = False
    ) -> RunReport:
        """Carry out one rule; see run_all."""
        return (await self.run_all([rule], trigger=trigger, dry_run=dry_run, retry=retry))[0]

    async def run_all(
        self,
        rules: Sequence[Rule],
        *,
        trigger: str,
        dry_run: bool = False,
        only: Only | None = None,
        retry: bool = False,
    ) -> tuple[RunReport, ...]:
        """Carry out *rules*, several at once, and return a report of each, in their order.

        *trigger* says why, for the history. A dry run only observes and plans; it writes neither
        to a registry nor to the database. *only* limits all of them to some tags; with *retry* no
        tag waits because it failed before. Raises ConfigError if a rule cannot be used,
        StoreError if the database cannot. When cancelled, what was done is written down first.
        """
        rules = rules if only is None else tuple(map(only.limit, rules))
        prepared = [prepare(rule, where=f'rule "{rule.name}": ') for rule in rules]
        sources = SharedSources(self._registries, [rule.source for rule in prepared])
        slots = asyncio.Semaphore(self._limits.rules)

        async def one(rule: PreparedRule) -> RunReport:
            async with slots:
                journal = self._journal(rule.rule, retry=retry or only is not None)
                return await self._run(rule, sources, journal, trigger, dry_run=dry_run, only=only)

        work = together(map(one, prepared))
        return tuple(await work if dry_run else await self._alive(work))

    async def apply(
        self, planned: Sequence[PlannedRule], rules: Mapping[str, Rule], *, trigger: str
    ) -> tuple[RunReport, ...]:
        """Do what was reviewed, exactly, and return a report for each rule.

        Before anything is done, all of it is held against what is there now. Raises ConfigError
        that says what changed, of *rules* or at a destination.
        """
        changes = await changes_since(planned, rules, self._registries, self._ledger)
        if changes:
            more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            raise ConfigError(
                f"the plan no longer fits, nothing was done: {'; '.join(changes[:_SHOWN])}{more}"
            )

        async def one(plan: PlannedRule) -> RunReport:
            rule = prepare(Only.of(()).limit(plan.rule))
            sources = SharedSources(self._registries, [rule.source])
            journal = self._journal(rule.rule, retry=True)
            work = PlanRun(plan.actions).carry_out
            return await self._run(rule, sources, journal, trigger, dry_run=False, work=work)

        return tuple(await self._alive(together(map(one, planned))))

    async def with_sizes(self, report: RunReport) -> RunReport:
        """Return the report of a dry run with an estimate of the bytes; see estimating."""
        platforms = report.definition.platforms if report.definition else ()
        actions = await with_sizes(report.actions, self._registries, platforms)
        return replace(report, actions=actions)

    async def _alive(self, work: Awaitable[Sequence[RunReport]]) -> Sequence[RunReport]:
        """Wait for *work* while the leases of its runs are kept.

        Their start is a sign of life of its own; whatever took time before does not count.
        """
        self._lease.extend(self._lease.now())
        with _single_error():
            async with asyncio.TaskGroup() as group:
                signs_of_life = group.create_task(self.keep_alive())
                reports = await work
                signs_of_life.cancel()
        return reports

    async def carry_out(self, record: RunRecord) -> RunReport:
        """Carry out a run that was claimed; ``keep_alive`` has to go on meanwhile.

        When cancelled, what was done is written down and the run is given back, for another
        service to go on with it. Raises StoreError if the database cannot be used.
        """
        only = None if record.only is None else Only.of(record.only)
        rule = record.rule if only is None else only.limit(record.rule)
        journal = self._journal(rule, retry=only is not None, record=record)
        try:
            prepared = prepare(rule, where=f'rule "{rule.name}": ')
        except ReplicatorError as error:
            return await journal.finish(RunState.FAILED, error=str(error))
        sources = SharedSources(self._registries, [prepared.source])
        return await self._perform(prepared, sources, journal, only)

    async def keep_alive(self) -> None:
        """Say now and then that the runs of this process are alive, and end those that somebody
        cancels."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_leases())
            group.create_task(self._heed_cancellations())

    async def drain(self) -> None:
        """Begin no further copies, and return when those under way are done."""
        await self._valve.close()

    async def _heed_cancellations(self) -> None:
        while True:
            await self._sleep(_LOOK_EVERY)
            try:
                unwanted = await self._runs.to_cancel()
            except StoreError as error:
                _log.warning("cancellations not seen", extra={"error": str(error)})
                continue
            for run in unwanted - self._cancelled:
                if run in self._under_way:
                    self._cancelled.add(run)
                    self._under_way[run].cancel()

    async def _keep_leases(self) -> None:
        """Say now and then that the runs of this process are alive."""
        while True:
            await self._sleep(_RENEW_EVERY)
            try:
                await self._give_sign_of_life()
            except StoreError as error:
                # The next sign is early enough; if the database stays away, the runs will tell.
                _log.warning("lease not renewed", extra={"error": str(error)})

    async def _give_sign_of_life(self) -> None:
        """Renew the leases, and end runs that others took for lost before they write on."""
        under_way, given_at = self._under_way.keys(), self._lease.now()
        await self._runs.renew(self._clock())
        for run in await self._runs.taken(frozenset(under_way)):
            if run in self._under_way:
                self._taken.add(run)
                self._under_way[run].cancel()
        self._lease.extend(given_at)

    async def _run(
        self,
        rule: PreparedRule,
        sources: SharedSources,
        journal: Journal,
        trigger: str,
        *,
        dry_run: bool,
        only: Only | None = None,
        work: Work | None = None,
    ) -> RunReport:
        """Carry out one rule, between its start and its end in the history."""
        if not dry_run:
            try:
                await journal.start(trigger)
            except RunActive as error:
                return journal.report(RunState.FAILED, error=str(error))
        return await self._perform(rule, sources, journal, only, work)

    async def _perform(
        self,
        rule: PreparedRule,
        sources: SharedSources,
        journal: Journal,
        only: Only | None,
        work: Work | None = None,
    ) -> RunReport:
        """Do what a rule says, or that *work* alone, and write down how that ended."""
        with counted_requests() as requests, self._cancellable(journal.run):
            try:
                with _single_error():
                    await journal.notes.load()
                    context = self._context(rule, sources, journal, only)
                    await (work or self._carry_out)(context)
                return await journal.finish(journal.state, requests, error=journal.complaint)
            except asyncio.CancelledError:
                if self._is_meant(journal.run, self._cancelled):
                    return await journal.finish(RunState.CANCELLED, requests)
                if self._is_meant(journal.run, self._taken):
                    return journal.report(RunState.FAILED, requests, error=_TAKEN)
                await journal.break_off(requests)
                raise
            except LeaseLost as error:
                return journal.report(RunState.FAILED, requests, error=str(error))
            except BaseException as error:
                await journal.finish(RunState.FAILED, requests, error=str(error))
                raise

    @contextmanager
    def _cancellable(self, run: str) -> Iterator[None]:
        """Let a run of this process be ended by itself while it goes on."""
        task = asyncio.current_task()
        if task is not None and run:
            self._under_way[run] = task
        try:
            yield
        finally:
            self._under_way.pop(run, None)
            self._cancelled.discard(run)
            self._taken.discard(run)

    def _is_meant(self, run: str, ended: set[str]) -> bool:
        """Say whether it was this run that was to be ended; then its task goes on."""
        task = asyncio.current_task()
        return run in ended and task is not None and task.uncancel() == 0

    async def _carry_out(self, context: RunContext) -> None:
        """Take up each repository as it is discovered."""
        rule, handling = context.rule, Handling.of_selected(context.rule)
        slots = asyncio.Semaphore(self._limits.repositories)
        async with asyncio.TaskGroup() as group:
            try:
                async for name in self._repositories(context):
                    await slots.acquire()
                    task = group.create_task(RepositoryRun(context, name, handling).carry_out())
                    task.add_done_callback(lambda _: slots.release())
            except (RegistryError, LayoutError) as error:
                context.journal.miss(rule.rule.source, error, side=SOURCE)
        if context.only is None and not context.journal.is_incomplete:
            context.journal.notes.forget_unseen()
        await context.pruning.finish()

    async def _repositories(self, context: RunContext) -> AsyncIterator[RepositoryName]:
        """Discover the rule's repositories, of which some may be all that the run is about."""
        if context.only is None:
            async for name in discover(context.rule.source, self._registries):
                yield name
            return
        for name in context.only.repositories:
            if context.rule.source.match(name) is not None:
                yield name

    def _journal(self, rule: Rule, *, retry: bool, record: RunRecord | None = None) -> Journal:
        return Journal(
            rule,
            ledger=self._ledger,
            runs=self._runs,
            notes=RunNotes(rule.name, self._notes, clock=self._clock, retry=retry),
            clock=self._clock,
            record=record,
        )

    def _context(
        self, rule: PreparedRule, sources: SharedSources, journal: Journal, only: Only | None
    ) -> RunContext:
        return RunContext(
            rule,
            journal,
            sources,
            self._registries,
            self._copier,
            self._ledger,
            self._rows,
            self._freshness,
            self._clock,
            tags=asyncio.Semaphore(self._limits.tags),
            images=CopySlots(self._limits.images, self._valve),
            only=only,
        )


@contextmanager
def _single_error() -> Iterator[None]:
    """Raise the error of a task by itself, as if it had run alone."""
    try:
        yield
    except ExceptionGroup as failures:
        error = first_error(failures)
        raise error from error.__cause__
