"""Runner: rules, from what they say to what became of each tag."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from replicator.errors import LayoutError, LeaseLost, RegistryError, RunActive, StoreError
from replicator.planning.prepared import PreparedRule, prepare
from replicator.planning.rule import Rule
from replicator.service.discovering import discover
from replicator.service.freshness import CONFIRM_AFTER, Freshness
from replicator.service.journal import Journal
from replicator.service.ledger_reader import LedgerReader
from replicator.service.protocols import Copier, Ledger, Runs
from replicator.service.registries import Registries
from replicator.service.report import RunReport
from replicator.service.repository_run import RepositoryRun
from replicator.service.requests import counted_requests
from replicator.service.run_context import Handling, RunContext
from replicator.service.shared_sources import SharedSources
from replicator.store.records import RunState
from replicator.transfer.concurrency import first_error, together
from replicator.transfer.sides import SOURCE

_log = logging.getLogger(__name__)

# Seconds between two signs of life; a third of what others wait for one.
_RENEW_EVERY: Final = 20.0


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

    What runs at the same time shares registries and transfer. *sleep*, *clock* (in UTC) and
    *random* are for tests to choose.
    """

    def __init__(
        self,
        *,
        registries: Registries,
        copier: Copier,
        ledger: Ledger,
        runs: Runs,
        clock: Callable[[], datetime],
        confirm_after: timedelta = CONFIRM_AFTER,
        limits: RunLimits | None = None,
        random: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._registries = registries
        self._copier = copier
        self._ledger = ledger
        self._rows = LedgerReader(ledger)
        self._runs = runs
        self._clock = clock
        self._limits = limits or RunLimits()
        self._freshness = Freshness(confirm_after, random=random or Random())  # noqa: S311
        self._sleep = sleep

    async def run(self, rule: Rule, *, trigger: str, dry_run: bool = False) -> RunReport:
        """Carry out one rule; see run_all."""
        return (await self.run_all([rule], trigger=trigger, dry_run=dry_run))[0]

    async def run_all(
        self, rules: Sequence[Rule], *, trigger: str, dry_run: bool = False
    ) -> tuple[RunReport, ...]:
        """Carry out *rules*, several at once, and return a report of each, in their order.

        *trigger* says why, for the history. A dry run only observes and plans; it writes neither
        to a registry nor to the database. Raises ConfigError if a rule cannot be used, StoreError
        if the database cannot. When cancelled, what was done is written down first.
        """
        prepared = [prepare(rule, where=f'rule "{rule.name}": ') for rule in rules]
        sources = SharedSources(self._registries, [rule.source for rule in prepared])
        slots = asyncio.Semaphore(self._limits.rules)

        async def one(rule: PreparedRule) -> RunReport:
            async with slots:
                return await self._run(rule, sources, trigger, dry_run=dry_run)

        with _single_error():
            async with asyncio.TaskGroup() as group:
                signs_of_life = None if dry_run else group.create_task(self._keep_leases())
                reports = await together(map(one, prepared))
                if signs_of_life is not None:
                    signs_of_life.cancel()
        return tuple(reports)

    async def _keep_leases(self) -> None:
        """Say now and then that the runs of this process are alive."""
        while True:
            await self._sleep(_RENEW_EVERY)
            try:
                await self._runs.renew(self._clock())
            except StoreError as error:
                # The next sign is early enough; if the database stays away, the runs will tell.
                _log.warning("lease not renewed", extra={"error": str(error)})

    async def _run(
        self, rule: PreparedRule, sources: SharedSources, trigger: str, *, dry_run: bool
    ) -> RunReport:
        """Carry out one rule, between its start and its end in the history."""
        journal = Journal(rule.rule, ledger=self._ledger, runs=self._runs, clock=self._clock)
        if not dry_run:
            try:
                await journal.start(trigger)
            except RunActive as error:
                return journal.report(RunState.FAILED, error=str(error))
        with counted_requests() as requests:
            try:
                with _single_error():
                    await self._carry_out(self._context(rule, sources, journal))
                return await journal.finish(journal.state, requests, error=journal.complaint)
            except asyncio.CancelledError:
                await journal.finish(RunState.CANCELLED, requests)
                raise
            except LeaseLost as error:
                return journal.report(RunState.FAILED, requests, error=str(error))
            except BaseException as error:
                await journal.finish(RunState.FAILED, requests, error=str(error))
                raise

    async def _carry_out(self, context: RunContext) -> None:
        """Take up each repository as it is discovered."""
        rule, handling = context.rule, Handling.of_selected(context.rule)
        slots = asyncio.Semaphore(self._limits.repositories)
        async with asyncio.TaskGroup() as group:
            try:
                async for name in discover(rule.source, self._registries):
                    await slots.acquire()
                    task = group.create_task(RepositoryRun(context, name, handling).carry_out())
                    task.add_done_callback(lambda _: slots.release())
            except (RegistryError, LayoutError) as error:
                context.journal.miss(rule.rule.source, error, side=SOURCE)

    def _context(self, rule: PreparedRule, sources: SharedSources, journal: Journal) -> RunContext:
        return RunContext(
            rule,
            journal,
            sources,
            self._registries,
            self._copier,
            self._rows,
            self._freshness,
            self._clock,
            tags=asyncio.Semaphore(self._limits.tags),
            images=asyncio.Semaphore(self._limits.images),
        )


@contextmanager
def _single_error() -> Iterator[None]:
    """Raise the error of a task by itself, as if it had run alone."""
    try:
        yield
    except ExceptionGroup as failures:
        error = first_error(failures)
        raise error from error.__cause__
