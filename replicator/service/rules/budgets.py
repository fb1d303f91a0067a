"""Error budgets of rules, from the runs that are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from replicator.planning.error_budget import WINDOW, ErrorBudget, GoodRun, error_budget
from replicator.planning.rule import Rule


class GoodRuns(Protocol):
    """Knows which runs were good."""

    async def good_runs(
        self, rules: Collection[str], since: datetime
    ) -> Mapping[str, Sequence[GoodRun]]:
        """Return those of each rule that ended after *since*, and the one before, oldest first."""
        ...


async def error_budgets(
    rules: Sequence[Rule], history: GoodRuns, now: datetime
) -> Mapping[str, ErrorBudget]:
    """Return the error budgets of those rules that have an objective, and a good run."""
    objectives = {rule.name: rule.objective for rule in rules if rule.objective is not None}
    if not objectives:
        return {}
    runs = await history.good_runs(objectives, now - WINDOW)
    budgets = {
        name: error_budget(runs.get(name, ()), objective, now)
        for name, objective in objectives.items()
    }
    return {name: budget for name, budget in budgets.items() if budget is not None}
