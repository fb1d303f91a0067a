"""Desk: where people ask a service for runs, and for their end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from replicator.errors import ConfigError, RunActive
from replicator.planning.rule import Rule
from replicator.service.rules.rulebook import Rulebook
from replicator.store.records import ActionRecord, Outcome, RunRecord


class Queue(Protocol):
    """Keeps runs that wait for a service."""

    async def add(
        self,
        rule: Rule,
        trigger: str,
        now: datetime,
        *,
        only: Sequence[str] | None = None,
        repeats: str | None = None,
    ) -> RunRecord:
        """Let a run wait. Raises RunActive."""
        ...


class Runs(Protocol):
    """Remembers runs."""

    async def show(self, run_id: str) -> tuple[RunRecord, tuple[ActionRecord, ...]]: ...


class Desk:
    """Leaves runs to whichever service uses the database; *is_served* says if there is one."""

    def __init__(
        self,
        *,
        rulebook: Rulebook,
        runs: Runs,
        queue: Queue,
        is_served: Callable[[], Awaitable[bool]],
        clock: Callable[[], datetime],
    ) -> None:
        self._rulebook = rulebook
        self._runs = runs
        self._queue = queue
        self._is_served = is_served
        self._clock = clock

    async def ask(
        self, names: Sequence[str], *, trigger: str
    ) -> tuple[Sequence[RunRecord], Sequence[str]]:
        """Ask for runs of rules; without names, of all that are enabled.

        Return the runs that wait now, and why others do not. Raises ConfigError when nobody
        serves the database, RuleNotFound.
        """
        await self._require_service()
        await self._rulebook.bring_in()
        asked, refused = [], []
        for rule in await self._rulebook.named(names):
            try:
                asked.append(await self._queue.add(rule, trigger, self._clock()))
            except RunActive as error:
                refused.append(str(error))
        return asked, refused

    async def ask_again(self, run_id: str, *, trigger: str, failed: bool) -> RunRecord:
        """Ask for another run of a run's rule, as the rule is now; see ``again``."""
        await self._require_service()
        before, rule, only = await again(run_id, self._runs, self._rulebook, failed=failed)
        return await self._queue.add(rule, trigger, self._clock(), only=only, repeats=before.id)

    async def _require_service(self) -> None:
        if not await self._is_served():
            raise ConfigError(
                "no service uses this database; start `replicate serve`, or leave out --detach"
            )


async def again(
    run_id: str, runs: Runs, rulebook: Rulebook, *, failed: bool
) -> tuple[RunRecord, Rule, Sequence[str] | None]:
    """Return a run, its rule as it is now, and the source tags to limit another run to.

    Those are the ones that *failed*, or else all. Raises RunNotFound, RuleNotFound, and
    ConfigError when none failed.
    """
    record, actions = await runs.show(run_id)
    (rule,) = await rulebook.named([record.rule.name])
    if not failed:
        return record, rule, None
    sources = {each.source for each in actions if each.outcome is Outcome.FAILED and each.source}
    if not sources:
        raise ConfigError(
            f"run {record.id} has no failed tags; without --failed all of its rule is done again"
        )
    return record, rule, sorted(sources)
