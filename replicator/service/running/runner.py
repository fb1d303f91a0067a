"""Runner: rules, from what they say to what became of each tag, within this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

from replicator.errors import ConfigError, LayoutError, LeaseLost, RegistryError, RunActive
from replicator.planning.plan import Action
from replicator.planning.prepared import PreparedRule, prepare
from replicator.planning.rule import Rule
from replicator.service.looking.discovering import discover_some
from replicator.service.looking.freshness import CONFIRM_AFTER, Freshness
from replicator.service.looking.only import Only
from replicator.service.looking.shared_sources import SharedSources
from replicator.service.outside.protocols import Copier, Ledger, Notes, Runs
from replicator.service.outside.registries import Registries
from replicator.service.outside.requests import RequestCounts, counted_requests
from replicator.service.processes.lease import Lease, not_needed
from replicator.service.processes.signs_of_life import Ending, SignsOfLife
from replicator.service.records.journal import Journal
from replicator.service.records.report import RunReport
from replicator.service.running.means import Means, RunLimits, single_error
from replicator.service.running.repository_run import RepositoryRun
from replicator.service.running.run_context import Handling, RunContext
from replicator.store.records import RunState
from replicator.transfer.concurrency import together
from replicator.transfer.sides import SOURCE

if TYPE_CHECKING:
    from replicator.service.looking.verifying import Finding
    from replicator.service.records.plan_file import PlannedRule

__all__ = ["RunLimits", "Runner"]

_TAKEN: Final = "another process took this one for lost, and ended the run"
# Changes since a plan was made that a message names.
_SHOWN: Final = 10

Work: TypeAlias = Callable[[RunContext], Awaitable[None]]


class Runner:
    """Carries out rules: discovers, observes, plans and copies, all in one stream.

    What runs at the same time shares registries and transfer. *lease* is told when the database
    took a sign of life, and *require_lease* called before a tag is removed. *sleep*, *clock* (in
    UTC) and *random* are for tests to choose.
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
        require_lease: Callable[[], None] = not_needed,
    ) -> None:
        freshness = Freshness(
            confirm_after,
            random=random or Random(),  # noqa: S311
            share=confirm_share,
        )
        self.means = Means(
            registries,
            copier,
            ledger,
            notes,
            clock,
            freshness,
            limits or RunLimits(),
            require_lease=require_lease,
        )
        self._runs = runs
        self._life = SignsOfLife(runs, lease=lease or Lease(), clock=clock, sleep=sleep)

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
        await self._require_logins(prepared)
        sources = SharedSources(self.means.registries, [rule.source for rule in prepared])
        slots = asyncio.Semaphore(self.means.limits.rules)

        async def one(rule: PreparedRule) -> RunReport:
            async with slots:
                return await self._run(
                    rule, sources, trigger, dry_run=dry_run, only=only, retry=retry
                )

        work = together(map(one, prepared))
        return tuple(await work if dry_run else await self._alive(work))

    async def apply(
        self, planned: Sequence[PlannedRule], rules: Mapping[str, Rule], *, trigger: str
    ) -> tuple[RunReport, ...]:
        """Do what was reviewed, exactly, and return a report for each rule.

        Before anything is done, all of it is held against what is there now. Raises ConfigError
        that says what changed, of *rules* or at a destination.
        """
        from replicator.service.running.plan_run import PlanRun, changes_since

        await self.require_logins([plan.rule for plan in planned])
        changes = await changes_since(planned, rules, self.means.registries, self.means.ledger)
        if changes:
            more = f"; and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            raise ConfigError(
                f"the plan no longer fits, nothing was done: {'; '.join(changes[:_SHOWN])}{more}"
            )

        async def one(plan: PlannedRule) -> RunReport:
            rule = prepare(Only.of(()).limit(plan.rule))
            sources = SharedSources(self.means.registries, [rule.source])
            work = PlanRun(plan.actions).carry_out
            return await self._run(rule, sources, trigger, retry=True, work=work)

        return tuple(await self._alive(together(map(one, planned))))

    async def repair(
        self, rules: Sequence[Rule], findings: Sequence[Finding], *, trigger: str
    ) -> tuple[RunReport, ...]:
        """Copy again what was found gone or broken, and moved where the rule lets it, whole.

        Return a report of each rule that there is something to do for. Raises ConfigError.
        """
        from replicator.service.looking.verifying import Drift, repairs
        from replicator.service.running.plan_run import PlanRun

        await self.require_logins(rules)
        broken = {each.row.destination for each in findings if each.drift is not Drift.MOVED}
        await self.means.ledger.forget_places(broken)

        async def one(rule: Rule, actions: Sequence[Action]) -> RunReport:
            prepared = prepare(Only.of(()).limit(rule))
            sources = SharedSources(self.means.registries, [prepared.source])
            work = PlanRun(actions, thorough=True).carry_out
            return await self._run(prepared, sources, trigger, retry=True, work=work)

        planned = [(rule, repairs(rule, findings)) for rule in rules]
        return tuple(
            await self._alive(together(one(rule, actions) for rule, actions in planned if actions))
        )

    async def require_logins(self, rules: Iterable[Rule]) -> None:
        """Make sure that all secrets can be read that *rules* need. Raises ConfigError."""
        await self._require_logins(map(prepare, rules))

    async def with_sizes(self, report: RunReport) -> RunReport:
        """Return the report of a dry run with an estimate of the bytes; see estimating."""
        from replicator.service.looking.estimating import with_sizes

        platforms = report.definition.platforms if report.definition else ()
        actions = await with_sizes(report.actions, self.means.registries, platforms)
        return replace(report, actions=actions)

    async def _require_logins(self, rules: Iterable[PreparedRule]) -> None:
        places = dict.fromkeys(place for rule in rules for place in rule.places)
        await self.means.registries.require_logins(places)

    async def _alive(self, work: Awaitable[Sequence[RunReport]]) -> Sequence[RunReport]:
        """Wait for *work* while the leases of its runs are kept.

        Their start is a sign of life of its own; whatever took time before does not count.
        """
        self._life.begin()
        with single_error():
            async with asyncio.TaskGroup() as group:
                signs_of_life = group.create_task(self._life.keep())
                reports = await work
                signs_of_life.cancel()
        return reports

    async def _run(
        self,
        rule: PreparedRule,
        sources: SharedSources,
        trigger: str,
        *,
        dry_run: bool = False,
        only: Only | None = None,
        retry: bool = False,
        work: Work | None = None,
    ) -> RunReport:
        """Carry out one rule, between its start and its end in the history."""
        record, retry = None, retry or only is not None
        if not dry_run:
            try:
                record = await self._runs.start(rule.rule, trigger, self.means.clock())
            except RunActive as error:
                journal = self.means.journal(rule.rule, self._runs, retry=retry)
                return journal.report(RunState.FAILED, error=str(error))
        journal = self.means.journal(rule.rule, self._runs, retry=retry, record=record)
        context = self.means.context(rule, journal, sources=sources, only=only)
        return await self._perform(context, work or self._carry_out)

    async def _perform(self, context: RunContext, work: Work) -> RunReport:
        """Do *work* on a rule, and write down how that ended."""
        journal = context.journal
        with (
            counted_requests() as requests,
            self._life.watched(journal.run),
            self._moved(journal),
        ):
            try:
                with single_error():
                    await journal.notes.load()
                    await work(context)
                return await self._finish(journal, journal.state, requests, error=journal.complaint)
            except asyncio.CancelledError:
                ending = self._life.why_ended(journal.run)
                if ending is Ending.TAKEN:
                    return journal.report(RunState.FAILED, requests, error=_TAKEN)
                report = await self._finish(journal, RunState.CANCELLED, requests)
                if ending is Ending.CANCELLED:
                    return report
                raise
            except LeaseLost as error:
                return journal.report(RunState.FAILED, requests, error=str(error))
            except BaseException as error:
                await self._finish(journal, RunState.FAILED, requests, error=str(error))
                raise

    @contextmanager
    def _moved(self, journal: Journal) -> Iterator[None]:
        """Let others see what moves, until the end of the run says all."""
        if journal.is_dry_run:
            yield
            return
        try:
            with self._life.moved.counted(journal.run, journal.so_far):
                yield
        finally:
            self._life.moved.forget(journal.run)

    async def _carry_out(self, context: RunContext) -> None:
        """Take up each repository as it is discovered."""
        rule, handling = context.rule, Handling.of_selected(context.rule)
        slots = asyncio.Semaphore(self.means.limits.repositories)
        async with asyncio.TaskGroup() as group:
            try:
                async for name in discover_some(rule, context.only, self.means.registries):
                    await slots.acquire()
                    task = group.create_task(RepositoryRun(context, name, handling).carry_out())
                    task.add_done_callback(lambda _: slots.release())
            except (RegistryError, LayoutError) as error:
                context.journal.miss(rule.rule.source, error, side=SOURCE)
        if context.only is None and not context.journal.is_incomplete:
            context.journal.notes.forget_unseen(run=context.journal.run)
        await context.pruning.finish()

    async def _finish(
        self, journal: Journal, state: RunState, requests: RequestCounts, *, error: str = ""
    ) -> RunReport:
        """Write what is left, end the run, and return its report. Raises StoreError."""
        await journal.flush()
        report = journal.report(state, requests, error=error)
        if not journal.is_dry_run:
            await self._runs.finish(
                report.run, state, report.totals, report.finished_at, error=error
            )
        return report
