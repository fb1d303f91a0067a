"""Processes that are counted together do not take more pulls than there are."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from replicator.store.database import Database
from replicator.store.pull_budgets import PullBudgets
from tests.store.values import NOON

HUB = "docker.io", "192.0.2.1"
OTHER = "docker.io", "192.0.2.2"


def budgets_of(database: Database, now: datetime = NOON) -> PullBudgets:
    return PullBudgets(database, lambda: now)


async def test_what_one_heard_another_draws_on_down_to_the_reserve(database: Database) -> None:
    await budgets_of(database).note(*HUB, 12)

    taken = await asyncio.gather(*(budgets_of(database).take(*HUB, reserve=10) for _ in range(5)))

    assert sorted(taken, key=int) == [10, 10, 10, 11, 12]


async def test_what_others_have_taken_is_not_given_back_by_an_answer(database: Database) -> None:
    budgets = budgets_of(database)
    await budgets.note(*HUB, 50)
    for _ in range(3):
        await budgets.take(*HUB, reserve=10)

    await budgets.note(*HUB, 49)  # one of the three has been made

    assert await budgets.take(*HUB, reserve=10) == 47


async def test_after_a_minute_of_silence_the_next_answer_counts(database: Database) -> None:
    await budgets_of(database).note(*HUB, 3)
    later = budgets_of(database, NOON + timedelta(seconds=60))

    assert await later.take(*HUB, reserve=10) is None
    await later.note(*HUB, 90)

    assert await later.take(*HUB, reserve=10) == 90


async def test_addresses_and_accounts_have_budgets_of_their_own(database: Database) -> None:
    budgets = budgets_of(database)
    await budgets.note(*HUB, 3)

    assert await budgets.take(*OTHER, reserve=10) is None


async def test_a_database_that_is_away_fails_no_pull(tmp_path) -> None:
    async with Database(f"sqlite:///{tmp_path}/without/a/folder.db") as database:
        budgets = budgets_of(database)

        await budgets.note(*HUB, 12)

        assert await budgets.take(*HUB, reserve=10) is None
