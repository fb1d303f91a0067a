"""Marks of repositories that may have changed, and the runs that compare them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.oci.reference import RepositoryName
from replicator.store.database import Database
from replicator.store.dirty import DirtyRepositories
from replicator.store.owner import Owner
from replicator.store.records import RunState, Totals
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from tests.store.values import NOON, a_rule
from tests.support.working import Idler

MINUTE = timedelta(minutes=1)
RULE = a_rule()
ALPINE = RepositoryName.parse("alpine")
DEBIAN = RepositoryName.parse("debian")


@pytest.fixture
async def dirty(database: Database) -> DirtyRepositories:
    await Rules(database).put(RULE)
    return DirtyRepositories(database)


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database, Owner.this_process())


async def mark(dirty, *names, now=NOON):
    await dirty.mark([(RULE.name, name) for name in names], now)


async def end(database, runs, state, now):
    await Idler(database).end_next(now, state)


async def test_a_mark_becomes_a_run_of_that_repository_alone(dirty):
    await mark(dirty, ALPINE)

    (record,) = await dirty.queue_runs(NOON)

    assert (record.rule, record.trigger, record.state) == (RULE, "webhook", RunState.QUEUED)
    assert record.only == ("docker.io/library/alpine",)
    assert await dirty.queue_runs(NOON) == ()


async def test_many_notices_are_one_run(dirty):
    for _ in range(50):
        await mark(dirty, ALPINE, DEBIAN)

    (record,) = await dirty.queue_runs(NOON)

    assert record.only == ("docker.io/library/alpine", "docker.io/library/debian")


async def test_of_many_who_look_at_once_one_makes_the_run(database, dirty):
    await mark(dirty, ALPINE)

    made = await asyncio.gather(*(DirtyRepositories(database).queue_runs(NOON) for _ in range(8)))

    assert sum(map(len, made)) == 1


async def test_while_a_rule_has_a_run_a_mark_waits_for_its_end(database, dirty, runs):
    under_way = await runs.start(RULE, "test", NOON)
    await mark(dirty, ALPINE)
    assert await dirty.queue_runs(NOON) == ()

    await runs.finish(under_way.id, RunState.SUCCEEDED, Totals(), NOON)

    assert len(await dirty.queue_runs(NOON)) == 1


async def test_a_mark_is_over_when_its_run_was_good(database, dirty, runs):
    await mark(dirty, ALPINE)
    await dirty.queue_runs(NOON)
    await end(database, runs, RunState.SUCCEEDED, NOON)

    assert await dirty.queue_runs(NOON + 100 * MINUTE) == ()


async def test_a_mark_stays_until_a_run_was_good(database, dirty, runs):
    await mark(dirty, ALPINE)
    await dirty.queue_runs(NOON)
    await end(database, runs, RunState.PARTIAL, NOON)

    assert await dirty.queue_runs(NOON) == ()
    assert len(await dirty.queue_runs(NOON + MINUTE)) == 1
    await end(database, runs, RunState.FAILED, NOON + MINUTE)
    assert await dirty.queue_runs(NOON + MINUTE) == ()
    assert await dirty.queue_runs(NOON + 2 * MINUTE) == ()
    assert len(await dirty.queue_runs(NOON + 3 * MINUTE)) == 1


async def test_what_is_marked_during_its_run_is_compared_again(database, dirty, runs):
    await mark(dirty, ALPINE)
    await dirty.queue_runs(NOON)
    await mark(dirty, ALPINE)
    await end(database, runs, RunState.SUCCEEDED, NOON)

    assert len(await dirty.queue_runs(NOON)) == 1


@pytest.mark.parametrize("enabled", [True, False])
async def test_marks_of_a_rule_that_is_gone_or_rests_are_forgotten(database, dirty, enabled):
    rules = Rules(database)
    await mark(dirty, ALPINE)
    if enabled:
        await rules.rewrite(lambda kept: ())
    else:
        await rules.put(replace(RULE, enabled=False))

    assert await dirty.queue_runs(NOON) == ()

    await rules.put(RULE) if enabled else await rules.put(replace(RULE, revision=2))
    assert await dirty.queue_runs(NOON) == ()
