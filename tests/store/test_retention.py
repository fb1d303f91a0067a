"""Retention: what is forgotten of the past, and what has to stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicator.errors import RunNotFound
from replicator.store.database import Database
from replicator.store.fires import Fires
from replicator.store.owner import Owner
from replicator.store.records import RunState, Totals
from replicator.store.retention import Keep, Retention
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from tests.store.values import HOUR, NOON, a_rule, an_action
from tests.support.deciding import decide

DAY = timedelta(days=1)
MUCH = 10_000
GOOD, BAD = RunState.SUCCEEDED, RunState.FAILED


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database, Owner.this_process())


async def past(runs: Runs, at: datetime, state: RunState = GOOD, rule: str = "base") -> str:
    """Let a run have begun and ended at a time."""
    record = await runs.start(a_rule(rule), "test", at)
    await runs.save(record.id, [an_action()])
    await runs.finish(record.id, state, Totals(), at)
    return record.id


async def kept(runs: Runs) -> set[str]:
    return {record.id for record in await runs.recent(limit=MUCH)}


async def test_runs_older_than_is_wanted_are_forgotten_with_their_actions(database, runs):
    old = await past(runs, NOON - 31 * DAY)
    young = [await past(runs, NOON - 29 * DAY), await past(runs, NOON - DAY)]

    assert await Retention(database).forget(Keep(30 * DAY, MUCH), NOON) == 1

    assert await kept(runs) == set(young)
    with pytest.raises(RunNotFound):
        await runs.show(old)
    assert len((await runs.show(young[0]))[1]) == 1


async def test_of_each_rule_the_newest_runs_are_kept(database, runs):
    ids = [await past(runs, NOON - n * HOUR) for n in range(9, 0, -1)]
    other = await past(runs, NOON - 9 * HOUR, rule="other")

    assert await Retention(database).forget(Keep(30 * DAY, 3), NOON) == 6

    assert await kept(runs) == {*ids[-3:], other}


async def test_the_last_run_and_the_last_good_one_stay_however_old(database, runs):
    await past(runs, NOON - 99 * DAY)
    good = await past(runs, NOON - 98 * DAY)
    await past(runs, NOON - 97 * DAY, BAD)
    last = await past(runs, NOON - 96 * DAY, BAD)

    await Retention(database).forget(Keep(30 * DAY, 1), NOON)

    assert await kept(runs) == {good, last}


async def test_a_run_that_is_not_finished_stays(database, runs):
    under_way = await runs.start(a_rule("base"), "test", NOON - 99 * DAY)
    await past(runs, NOON - 98 * DAY, rule="other")

    await Retention(database).forget(Keep(30 * DAY, MUCH), NOON)

    assert under_way.id in await kept(runs)


async def test_old_due_times_are_forgotten_and_none_comes_due_again(database):
    rule = replace(a_rule(), schedule="0 12 * * *")
    await Rules(database).put(rule)
    fires = Fires(database)
    await decide(database, rule.name, NOON - 40 * DAY)
    await decide(database, rule.name, NOON - 31 * DAY)
    await decide(database, rule.name, NOON)

    await Retention(database).forget(Keep(30 * DAY, MUCH), NOON)

    assert [fire.at for fire in await fires.recent(rule.name)] == [NOON]
    assert (await decide(database, rule.name, NOON)).fire is None


async def test_more_than_fits_into_one_transaction_is_forgotten_all_the_same(database, runs):
    for n in range(450):
        await past(runs, NOON - 99 * DAY + n * timedelta(minutes=1))

    assert await Retention(database).forget(Keep(30 * DAY, MUCH), NOON) == 449


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from([GOOD, BAD])), max_size=12),
    st.integers(1, 8),
)
async def test_what_is_forgotten_is_exactly_what_is_too_old_or_too_many(
    tmp_path_factory, ages, most
):
    url = f"sqlite:///{tmp_path_factory.mktemp('retention')}/replicator.db"
    async with await Database.open(url, upgrade=True) as database:
        runs = Runs(database, Owner.this_process())
        history = [
            (await past(runs, NOON - days * DAY, state), days, state)
            for days, state in sorted(ages, key=lambda each: -each[0])
        ]

        await Retention(database).forget(Keep(30 * DAY, most), NOON)

        wanted = {run for run, days, _ in history[-most:] if days <= 30}
        wanted |= {run for run, _, _ in history[-1:]}
        wanted |= {run for run, _, _ in [each for each in history if each[2] is GOOD][-1:]}
        assert await kept(runs) == wanted
