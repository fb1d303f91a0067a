"""What is left of the error budgets is added up now and then, and shown meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from replicator.errors import StoreError
from replicator.planning.error_budget import GoodRun
from replicator.planning.rule import Rule
from replicator.service.scheduling.budget_watch import BudgetWatch

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = Rule("app", "a.example/app", ("b.example/app",), objective=HOUR)


class World:
    """Rules and their good runs, as they are at each look; the last look has to end it."""

    def __init__(self, *looks):
        self.looks = list(looks)
        self.shown = []
        self.watch = BudgetWatch(rules=self, history=self, clock=lambda: NOW, sleep=self.sleep)

    async def all(self):
        rules, self.lasts = self.looks.pop(0)()
        return rules

    async def good_runs(self, rules, since):
        return {name: (GoodRun(at, at),) for name, at in self.lasts.items() if name in rules}

    async def sleep(self, seconds):
        self.shown.append(self.watch.left)
        if not self.looks:
            raise asyncio.CancelledError


async def shown(*looks):
    world = World(*looks)
    with pytest.raises(asyncio.CancelledError):
        await world.watch.run()
    return world.shown


async def test_only_rules_that_are_enabled_have_an_objective_and_a_good_run_have_a_budget():
    rules = [
        RULE,
        replace(RULE, name="without", objective=None),
        replace(RULE, name="resting", enabled=False),
        replace(RULE, name="never"),
    ]
    lasts = dict.fromkeys(("app", "without", "resting"), NOW)

    assert await shown(lambda: (rules, lasts)) == [{"app": 1.0}]


async def test_a_budget_goes_down_while_the_rule_is_behind_and_is_spent_after_a_hundredth():
    # Of 7.2 hours, and the first hour after a run is no lag.
    looks = [
        lambda late=late: ([RULE], {"app": NOW - HOUR - late * HOUR}) for late in (0, 1.8, 7.2, 20)
    ]

    left = [each["app"] for each in await shown(*looks)]

    assert left == pytest.approx([1, 0.75, 0, 0])


async def test_what_was_known_is_shown_while_the_database_is_away():
    def away():
        raise StoreError("the database cannot be reached")

    found = await shown(lambda: ([RULE], {"app": NOW}), away, lambda: ([], {}))

    assert found == [{"app": 1.0}, {"app": 1.0}, {}]
