"""The budget of pulls, with others who draw on the same limit."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import PullsSpent
from replicator.registry.pull_budget import PullBudget
from tests.registry.clients import Patience

RESERVE = 10


class Shared:
    """What is left for everybody; written down as an answer says it."""

    def __init__(self):
        self.left = {}

    async def note(self, registry, source, left):
        self.left[source] = min(left, self.left.get(source, left))

    async def take(self, registry, source, *, reserve):
        await asyncio.sleep(0)
        left = self.left.get(source)
        if left is not None and left > reserve:
            self.left[source] -= 1
        return left


class Hub:
    """Counts what it gives out, by source."""

    def __init__(self, **pulls):
        self.pulls = pulls

    async def pull(self, budget, source):
        async with budget.pull("docker.io"):
            await asyncio.sleep(0)
            self.pulls[source] -= 1
            budget.note(
                {
                    "ratelimit-remaining": f"{self.pulls[source]};w=21600",
                    "docker-ratelimit-source": source,
                }
            )


def processes(shared, number):
    return [
        PullBudget(reserve=RESERVE, clock=Patience().clock, shared=shared) for _ in range(number)
    ]


async def test_processes_of_one_account_leave_the_reserve_together():
    hub, budgets = Hub(alice=40), processes(Shared(), 3)

    answers = await asyncio.gather(
        *(hub.pull(budget, "alice") for budget in budgets for _ in range(30)),
        return_exceptions=True,
    )

    assert hub.pulls["alice"] == RESERVE
    assert all(isinstance(each, PullsSpent) for each in answers if each is not None)


async def test_processes_of_two_addresses_do_not_hold_each_other_up():
    shared = Shared()
    hub, (first, second) = Hub(one=11, two=90), processes(shared, 2)
    await hub.pull(first, "one")
    with pytest.raises(PullsSpent):
        await hub.pull(first, "one")

    for _ in range(5):
        await hub.pull(second, "two")

    assert hub.pulls == {"one": RESERVE, "two": 85}
