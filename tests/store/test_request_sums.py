"""Requests are added up once, and come to the same as what is read from the runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select

from replicator.planning.rule import Rule
from replicator.store.operating_tables import request_sum
from replicator.store.owner import Owner
from replicator.store.records import RunState, Totals
from replicator.store.request_sums import RequestSums
from replicator.store.runs import Runs
from replicator.store.tables import run
from replicator.store.traffic import Traffic

NOW = datetime(2026, 3, 14, 12, 30, tzinfo=UTC)
FIRST_DAY = (NOW - timedelta(days=13)).date()


@pytest.fixture
def runs(database):
    return Runs(database, Owner.this_process())


async def ran(runs, rule, at, **requests):
    """Let a run of a rule begin at a time, and end a minute later."""
    record = await runs.start(Rule(rule, "quay.io/acme/app", ("a.example/app",)), "schedule", at)
    totals = Totals({}, 0, 0, 0, {"quay.io": requests})
    await runs.finish(record.id, RunState.SUCCEEDED, totals, at + timedelta(minutes=1))


async def counted(database):
    async with database.reading() as connection:
        return await connection.scalar(select(func.count()).select_from(request_sum))


async def test_sums_and_runs_that_are_not_added_up_yet_are_counted_once_each(database, runs):
    for hours in (200, 199, 26, 3, 2, 1, 0):
        await ran(runs, "app", NOW - timedelta(hours=hours), tags=1, manifest_head=10)
    before = await Traffic(database).requests(FIRST_DAY)

    await RequestSums(database).add_up(NOW - timedelta(hours=100))
    between = await Traffic(database).requests(FIRST_DAY)
    await RequestSums(database).add_up(NOW)

    assert sum(each.number for each in before) == 77
    assert set(between) == set(before)
    assert set(await Traffic(database).requests(FIRST_DAY)) == set(before)
    assert await counted(database) > 0


async def test_a_run_that_has_not_ended_is_counted_when_it_has(database, runs):
    began = NOW - timedelta(hours=60)
    rule = Rule("slow", "quay.io/acme/slow", ("a.example/slow",))
    slow = await runs.start(rule, "schedule", began)
    await ran(runs, "app", NOW - timedelta(hours=20), tags=1)
    await RequestSums(database).add_up(NOW)

    await runs.finish(
        slow.id, RunState.SUCCEEDED, Totals({}, 0, 0, 0, {"quay.io": {"tags": 5}}), NOW
    )
    await RequestSums(database).add_up(NOW)

    found = await Traffic(database).requests(FIRST_DAY)
    assert {each.day: each.number for each in found} == {
        began.date(): 5,
        (NOW - timedelta(hours=20)).date(): 1,
    }


async def test_what_was_added_up_is_known_when_its_runs_are_forgotten(database, runs):
    await ran(runs, "app", NOW - timedelta(hours=20), tags=3)
    await RequestSums(database).add_up(NOW)

    async with database.writing() as connection:
        await connection.execute(delete(run))

    (found,) = await Traffic(database).requests(FIRST_DAY, "quay.io")
    assert found.number == 3
    assert await Traffic(database).requests(FIRST_DAY, "docker.io") == ()


async def test_old_sums_are_forgotten(database, runs):
    await ran(runs, "app", NOW - timedelta(hours=20), tags=3)
    await RequestSums(database).add_up(NOW)

    await RequestSums(database).add_up(NOW + timedelta(days=40))

    assert await counted(database) == 0
