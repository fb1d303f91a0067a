"""What runs have moved so far is in their rows before they end."""

from __future__ import annotations

import pytest

from replicator.store.items import Items
from replicator.store.owner import Owner
from replicator.store.queue import Queue
from replicator.store.records import RunState, Totals
from replicator.store.runs import Runs
from replicator.transfer.order import Tally
from tests.store.values import NOON, a_rule


@pytest.fixture
def runs(database):
    return Runs(database, Owner.this_process())


async def test_signs_of_life_add_up_to_what_a_run_has_moved(runs):
    run = await runs.start(a_rule(), "test", NOON)

    await runs.renew(NOON, {run.id}, {run.id: Tally(5, 3, 1)})
    await runs.renew(NOON, {run.id}, {run.id: Tally(2, 0, 1), "unknown": Tally(9)})
    (record,) = await runs.recent()

    totals = record.totals
    assert (totals.bytes_moved, totals.bytes_mounted, totals.bytes_skipped) == (7, 3, 2)


async def test_the_end_of_a_run_says_all_and_nothing_is_added_to_it(runs):
    run = await runs.start(a_rule(), "test", NOON)
    await runs.renew(NOON, {run.id}, {run.id: Tally(5)})
    await runs.finish(run.id, RunState.SUCCEEDED, Totals({}, 6), NOON)

    await runs.renew(NOON, (), {run.id: Tally(1)})
    (record,) = await runs.recent()

    assert record.totals.bytes_moved == 6


async def test_several_workers_add_to_the_same_run(database, runs):
    mine = Items(database, Owner.this_process())
    theirs = Items(database, Owner("other-host", "boot:namespace", 17, "12345"))
    run = await Queue(database).add(a_rule(), "test", NOON)

    await mine.renew(NOON, (), {run.id: Tally(5)})
    await theirs.renew(NOON, (), {run.id: Tally(6)})
    (record,) = await runs.recent()

    assert record.totals.bytes_moved == 11


@pytest.mark.parametrize(("summed_up", "ends_with"), [(4, 5), (6, 6)])
async def test_a_run_ends_with_no_less_than_was_said_of_it(database, runs, summed_up, ends_with):
    items = Items(database, Owner.this_process())
    run = await Queue(database).add(a_rule(), "test", NOON)
    (claim,) = await items.claim(NOON)
    await items.renew(NOON, {claim.key}, {run.id: Tally(5)})
    closing = await items.finish(claim, {}, NOON)

    totals = Totals({}, summed_up)
    await items.close(closing, RunState.SUCCEEDED, totals, NOON, error="")
    (record,) = await runs.recent()

    assert (record.state, record.totals.bytes_moved) == (RunState.SUCCEEDED, ends_with)
