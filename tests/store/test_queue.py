"""The queue: each run is one service's, and none is forgotten when that is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.errors import RunActive, RunFinished, RunNotFound
from replicator.store.abandoned import LEASE
from replicator.store.clocks import start_clocks
from replicator.store.database import Database
from replicator.store.item_records import Piece
from replicator.store.owner import Owner
from replicator.store.queue import Queue
from replicator.store.reaper import Reaper
from replicator.store.records import RunState, Totals
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from replicator.store.services import Services, is_served
from replicator.store.standing import standing
from tests.store.values import HOUR, NOON, a_rule
from tests.support.working import Idler

ELSEWHERE = Owner("other-host", "another-boot:another-namespace", 17, "12345")
MOMENT = timedelta(seconds=1)


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database, Owner.this_process())


async def test_a_rule_has_one_unfinished_run_also_while_it_waits(queue, runs):
    waiting = await queue.add(a_rule(), "person", NOON)

    with pytest.raises(RunActive, match=f"waits for a service: {waiting.id}"):
        await queue.add(a_rule(), "person", NOON)
    with pytest.raises(RunActive):
        await runs.start(a_rule(), "person", NOON)


async def test_where_a_service_is_there_a_waiting_run_waits_for_its_turn(database, queue):
    await Services(database, Owner.this_process(), NOON).announce(NOON)
    waiting = await queue.add(a_rule(), "person", NOON)

    with pytest.raises(RunActive, match=f"waits for its turn: {waiting.id}") as refused:
        await queue.add(a_rule(), "person", NOON)

    assert "serve" not in str(refused.value)


async def test_without_a_service_a_run_that_was_begun_is_cancelled_with_what_it_came_to(
    database, queue
):
    run = await queue.add(a_rule(), "person", NOON)
    idler = Idler(database)
    claim, _ = await idler.take_up(NOON)
    await idler.items.add(claim, [Piece(("library/alpine",))], NOON)
    await idler.items.finish(claim, {"counts": {"copied": 2}}, NOON)

    cancelled = await queue.cancel(run.id, NOON + HOUR)

    assert (cancelled.state, cancelled.finished_at) == (RunState.CANCELLED, NOON + HOUR)
    assert cancelled.totals.counts == {"copied": 2}
    assert await idler.take_up(NOON + HOUR) is None


async def test_a_waiting_run_that_is_cancelled_is_over(database, queue, runs):
    added = await queue.add(a_rule(), "person", NOON)

    cancelled = await queue.cancel(added.id[:20], NOON + HOUR)

    assert (cancelled.state, cancelled.finished_at) == (RunState.CANCELLED, NOON + HOUR)
    assert await Idler(database).take_up(NOON + HOUR) is None


async def test_a_run_under_way_learns_that_it_is_cancelled(queue, runs):
    run = await runs.start(a_rule(), "person", NOON)
    assert await runs.to_cancel() == frozenset()

    asked = await queue.cancel(run.id, NOON)

    assert asked.state is RunState.RUNNING
    assert await runs.to_cancel() == {run.id}


async def test_what_is_finished_or_unknown_cannot_be_cancelled(queue, runs):
    run = await runs.start(a_rule(), "person", NOON)
    await runs.finish(run.id, RunState.SUCCEEDED, Totals(), NOON)

    with pytest.raises(RunFinished, match="is finished: succeeded"):
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


async def test_a_rule_that_was_never_in_step_counts_from_when_it_was_first_seen(
    database, queue, runs
):
    rules = Rules(database)
    for name in ("fails", "never-began"):
        await rules.put(replace(a_rule(name), schedule="0 3 * * *"))
    async with database.writing() as connection:
        await start_clocks(connection, [replace(a_rule("never-began"), schedule="0 3 * * *")], NOON)
    for hours in (1, 2):
        began = NOON + hours * HOUR
        run = await runs.start(a_rule("fails"), "schedule", began)
        await runs.finish(run.id, RunState.FAILED, Totals(), began)

    found = (await standing(database)).in_step_at

    assert found == {"fails": NOON + HOUR, "never-began": NOON}


async def test_the_objectives_of_enabled_rules_are_known(database):
    rules = Rules(database)
    for name, enabled in (("hourly", True), ("rests", False)):
        await rules.put(replace(a_rule(name), objective=HOUR, enabled=enabled))
    await rules.put(a_rule("whenever"))

    assert (await standing(database)).objectives == {"hourly": HOUR}


async def test_a_process_learns_which_of_its_runs_are_anothers_by_now(database, runs):
    ours = await runs.start(a_rule("ours"), "person", NOON)
    theirs = await Runs(database, ELSEWHERE).start(a_rule("theirs"), "person", NOON)

    assert await runs.taken({ours.id, theirs.id}) == {theirs.id}
    assert await runs.taken(()) == frozenset()


async def test_a_run_of_a_process_that_is_gone_is_over(database, runs):
    lost = await Runs(database, ELSEWHERE).start(a_rule("by hand"), "person", NOON)

    await Reaper(database).reap(NOON + LEASE)
    before, _ = await runs.show(lost.id)
    await Reaper(database).reap(NOON + LEASE + MOMENT)
    after, _ = await runs.show(lost.id)

    assert (before.state, after.state) == (RunState.RUNNING, RunState.FAILED)
    assert after.error == "interrupted: process 17 on other-host ended before the run did"
