"""The queue: each run is one service's, and none is forgotten when that is gone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from replicator.errors import LeaseLost, RunActive, RunFinished, RunNotFound
from replicator.store.abandoned import LEASE, MOST_ATTEMPTS
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.queue import SCHEDULE, Queue
from replicator.store.records import RunState, Totals
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from replicator.store.services import Services, is_served
from replicator.store.standing import standing
from tests.store.values import HOUR, NOON, a_rule

ELSEWHERE = Owner("other-host", "another-boot:another-namespace", 17, "12345")
MOMENT = timedelta(seconds=1)


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database, Owner.this_process())


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database, Owner.this_process())


async def test_a_run_that_waits_is_claimed_once(queue, runs):
    added = await queue.add(a_rule(), "person", NOON, only=("docker.io/library/alpine:3",))

    claimed = await queue.claim(NOON + HOUR)

    assert added.state is RunState.QUEUED
    assert claimed.id == added.id
    assert (claimed.state, claimed.attempt) == (RunState.RUNNING, 1)
    assert (claimed.queued_at, claimed.started_at) == (NOON, NOON + HOUR)
    assert claimed.only == ("docker.io/library/alpine:3",)
    assert await queue.claim(NOON + HOUR) is None
    assert (await runs.show(added.id))[0] == claimed


async def test_services_that_claim_at_once_get_one_run_each(database, queue):
    for number in range(10):
        await queue.add(a_rule(f"rule-{number}"), "person", NOON)

    claimed = await asyncio.gather(*(queue.claim(NOON) for _ in range(10)))

    found = {run.id for run in claimed if run is not None}
    while (run := await queue.claim(NOON)) is not None:
        assert run.id not in found
        found.add(run.id)
    assert len(found) == 10


async def test_what_a_person_asked_for_goes_before_what_is_due(queue):
    await queue.add(a_rule("due"), SCHEDULE, NOON)
    await queue.add(a_rule("asked"), "command line", NOON + HOUR)

    assert (await queue.claim(NOON + HOUR)).rule.name == "asked"


async def test_a_rule_has_one_unfinished_run_also_while_it_waits(queue, runs):
    waiting = await queue.add(a_rule(), "person", NOON)

    with pytest.raises(RunActive, match=f"waits for a service: {waiting.id}"):
        await queue.add(a_rule(), "person", NOON)
    with pytest.raises(RunActive):
        await runs.start(a_rule(), "person", NOON)


async def test_a_run_that_is_given_back_goes_on_elsewhere_and_counts_no_attempt(queue, runs):
    added = await queue.add(a_rule(), "person", NOON)
    await queue.claim(NOON)

    await runs.release(added.id)
    again = await queue.claim(NOON + HOUR)

    assert (again.id, again.attempt) == (added.id, 1)


async def test_a_run_that_was_given_back_is_not_ours_any_more(queue, runs):
    added = await queue.add(a_rule(), "person", NOON)
    await queue.claim(NOON)
    await runs.release(added.id)

    with pytest.raises(LeaseLost):
        await runs.finish(added.id, RunState.SUCCEEDED, Totals(), NOON)


async def test_a_run_of_a_service_that_is_gone_waits_again_and_a_persons_is_over(database, queue):
    lost = Queue(database, ELSEWHERE)
    await queue.add(a_rule("served"), "person", NOON)
    await lost.claim(NOON)
    await Runs(database, ELSEWHERE).start(a_rule("by hand"), "person", NOON)

    await queue.reap(NOON + LEASE)
    before = await standing(database)
    await queue.reap(NOON + LEASE + MOMENT)
    after = await standing(database)

    assert (before.waiting, before.under_way, before.oldest_queued_at) == (0, 2, None)
    assert (after.waiting, after.under_way, after.oldest_queued_at) == (1, 0, NOON)
    assert (await queue.claim(NOON + HOUR)).attempt == 2


async def test_a_run_that_ends_its_services_is_given_up(database, queue, runs):
    added = await queue.add(a_rule(), "person", NOON)
    now = NOON
    for _ in range(MOST_ATTEMPTS):
        await Queue(database, ELSEWHERE).claim(now)
        now += LEASE + MOMENT
        await queue.reap(now)

    run, _ = await runs.show(added.id)

    assert run.state is RunState.FAILED
    assert run.error == "interrupted: process 17 on other-host ended before the run did, as 3 did"


async def test_a_waiting_run_that_is_cancelled_is_over(queue, runs):
    added = await queue.add(a_rule(), "person", NOON)

    cancelled = await queue.cancel(added.id[:20], NOON + HOUR)

    assert (cancelled.state, cancelled.finished_at) == (RunState.CANCELLED, NOON + HOUR)
    assert await queue.claim(NOON + HOUR) is None


async def test_a_run_under_way_learns_that_it_is_cancelled(queue, runs):
    run = await runs.start(a_rule(), "person", NOON)
    assert await runs.to_cancel() == frozenset()

    asked = await queue.cancel(run.id, NOON)

    assert asked.state is RunState.RUNNING
    assert await runs.to_cancel() == {run.id}


async def test_a_cancelled_run_whose_service_is_gone_does_not_wait_again(database, queue, runs):
    added = await queue.add(a_rule(), "person", NOON)
    await Queue(database, ELSEWHERE).claim(NOON)
    await queue.cancel(added.id, NOON)

    await queue.reap(NOON + LEASE + MOMENT)

    assert (await runs.show(added.id))[0].state is RunState.CANCELLED


async def test_what_is_finished_or_unknown_cannot_be_cancelled(queue, runs):
    run = await runs.start(a_rule(), "person", NOON)
    await runs.finish(run.id, RunState.SUCCEEDED, Totals(), NOON)

    with pytest.raises(RunFinished, match="is finished; it succeeded"):
        await queue.cancel(run.id, NOON)
    with pytest.raises(RunNotFound):
        await queue.cancel("unknown", NOON)


async def test_a_database_is_served_while_somebody_says_so(database):
    here = Services(database, Owner.this_process(), NOON)
    assert not await is_served(database, NOON)

    await here.announce(NOON)
    assert await is_served(database, NOON + 100 * HOUR)
    await here.retire()

    assert not await is_served(database, NOON)


async def test_a_service_elsewhere_that_is_silent_is_gone(database):
    await Services(database, ELSEWHERE, NOON).announce(NOON)

    assert await is_served(database, NOON + LEASE)
    assert not await is_served(database, NOON + LEASE + MOMENT)


async def test_a_rule_is_in_step_since_its_last_run_that_left_nothing_undone(database, runs):
    await Rules(database).put(a_rule())
    await Rules(database).put(a_rule("new"))
    for state in (RunState.SUCCEEDED, RunState.PARTIAL):
        run = await runs.start(a_rule(), "person", NOON if state == "succeeded" else NOON + HOUR)
        await runs.finish(run.id, state, Totals(), NOON + HOUR)

    assert (await standing(database)).in_step_at == {"base-images": NOON, "new": None}


async def test_a_process_learns_which_of_its_runs_are_anothers_by_now(database, queue, runs):
    await queue.add(a_rule("ours"), "person", NOON)
    ours = await queue.claim(NOON)
    await queue.add(a_rule("theirs"), "person", NOON)
    theirs = await Queue(database, ELSEWHERE).claim(NOON)

    assert await runs.taken({ours.id, theirs.id}) == {theirs.id}
    assert await runs.taken(()) == frozenset()
