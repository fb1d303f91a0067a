"""BudgetWatch: what is left of the error budgets, for metrics that are asked for at any time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

from replicator.errors import ReplicatorError
from replicator.planning.rule import Rule
from replicator.service.rules.budgets import GoodRuns, error_budgets

_log = logging.getLogger(__name__)

# Seconds. Thirty days of a thousand rules that run each hour are 5 s of work, and a budget cannot
# lose more in ten minutes than a fortieth.
_EVERY: Final = 600.0


class Rules(Protocol):
    async def all(self) -> Sequence[Rule]: ...


class BudgetWatch:
    """Adds the error budgets up now and then; ``left`` is by rule, from 1 down to 0.

    Only of rules that are enabled, have an objective, and had a good run.
    """

    def __init__(
        self,
        *,
        rules: Rules,
        history: GoodRuns,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.left: Mapping[str, float] = {}
        self._rules = rules
        self._history = history
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                self.left = await self._look()
            except ReplicatorError as error:
                _log.warning("error budgets not added up", extra={"error": str(error)})
            await self._sleep(_EVERY)

    async def _look(self) -> Mapping[str, float]:
        left: dict[str, float] = {}
        for rule in await self._rules.all():
            if rule.enabled:
                # One by one, so that others have their turn in between.
                found = await error_budgets([rule], self._history, self._clock())
                left |= {name: budget.left for name, budget in found.items()}
        return left
