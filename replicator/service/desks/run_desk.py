"""RunDesk: where people start, end and repeat runs of the rules that concern them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from replicator.errors import RunActive
from replicator.service.access.identity import Identity
from replicator.service.desks.desk import Desk
from replicator.service.views.rule_views import RuleViews
from replicator.service.views.run_views import RunViews
from replicator.store.records import RunRecord


class Queue(Protocol):
    """Knows runs that are not finished."""

    async def cancel(self, run_id: str, now: datetime) -> RunRecord: ...


class RunDesk:
    """Asks for runs and for their end; the audit is written by what does it."""

    def __init__(
        self,
        desk: Desk,
        queue: Queue,
        *,
        rules: RuleViews,
        runs: RunViews,
        clock: Callable[[], datetime],
    ) -> None:
        self._desk = desk
        self._queue = queue
        self._rules = rules
        self._runs = runs
        self._clock = clock

    async def start(self, who: Identity, rule: str) -> RunRecord:
        """Let a run of a rule wait for a worker. Raises RuleNotFound, RunActive, ConfigError."""
        await self._rules.one(who, rule)
        asked, refused = await self._desk.ask([rule], trigger=f"{who.via}: {who.subject}")
        if refused:
            raise RunActive(refused[0])
        return asked[0]

    async def cancel(self, who: Identity, run_id: str) -> RunRecord:
        """End a run within seconds. Raises RunNotFound, RunFinished."""
        await self._runs.one(who, run_id)
        return await self._queue.cancel(run_id, self._clock())

    async def retry(self, who: Identity, run_id: str, *, failed: bool) -> RunRecord:
        """Ask for another run of a run's rule, of what *failed* alone if that is wanted.

        Raises RunNotFound, RuleNotFound, RunActive, ConfigError when nothing failed.
        """
        record = await self._runs.one(who, run_id)
        await self._rules.one(who, record.rule.name)
        trigger = f"{who.via}: {who.subject}, retry of {run_id}"
        return await self._desk.ask_again(run_id, trigger=trigger, failed=failed)
