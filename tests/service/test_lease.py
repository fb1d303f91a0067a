"""A process that others took for lost moves no tag any more."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import LeaseLost
from replicator.service.processes.lease import LASTS, Lease
from replicator.service.processes.timing import Timing
from replicator.service.running.runner import Runner
from replicator.store.abandoned import LEASE
from replicator.store.records import RunState
from replicator.transfer.fail_points import FailPoint
from tests.service.conftest import rule


class Monotonic:
    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds


def test_a_tag_may_be_written_within_the_lease_and_not_after():
    clock = Monotonic()
    lease = Lease(40, monotonic=clock)
    clock.seconds += 40
    lease.check(FailPoint.BEFORE_TAG_PUT)

    clock.seconds += 1
    with pytest.raises(LeaseLost, match="the tag was left as it is"):
        lease.check(FailPoint.BEFORE_TAG_PUT)
    lease.check(FailPoint.BEFORE_BLOB_PUT)


def test_a_sign_of_life_counts_from_when_it_was_given_not_from_when_it_was_heard():
    clock = Monotonic()
    lease = Lease(40, monotonic=clock)
    given_at = lease.now()
    clock.seconds += 30
    lease.extend(given_at)

    clock.seconds += 11
    with pytest.raises(LeaseLost):
        lease.check(FailPoint.BEFORE_TAG_PUT)


def test_our_own_lease_ends_well_before_others_take_the_run():
    assert LEASE.total_seconds() - LASTS >= 14


def test_what_a_lost_machine_had_begun_goes_on_within_half_a_minute():
    timing = Timing()

    assert (timing.lease, timing.safe) == (LEASE.total_seconds(), LASTS)
    assert timing.lease + timing.reap < 30
    # Two signs of life may fail.
    assert timing.safe >= 3 * timing.renew


async def test_a_run_that_others_ended_is_ended_here_before_the_lease_counts_again(bench):
    bench.source.put("1")
    bench.copier.endless = {"1"}
    ticks, clock = asyncio.Queue(), Monotonic()
    bench.sleep = lambda seconds: ticks.get() if seconds > 2 else asyncio.Event().wait()
    lease = Lease(40, monotonic=clock)
    running = asyncio.create_task(bench.runner(lease=lease).run(rule(), trigger="test"))
    while not bench.copier.running:  # noqa: ASYNC110 - the fakes set no events
        await asyncio.sleep(0)
    clock.seconds += 100
    bench.runs.stolen = frozenset({"run-1"})

    ticks.put_nowait("wake up")
    report = await running

    assert (report.state, report.error[:29]) == (RunState.FAILED, "another process took this one")
    assert bench.runs.finished == {}


async def test_the_time_before_a_run_begins_does_not_count(bench):
    bench.source.put("1")
    clock = Monotonic()
    lease = Lease(40, monotonic=clock)
    runner: Runner = bench.runner(lease=lease)
    clock.seconds += 100  # a long look at what a reviewed plan is about, for example
    copy = bench.copier.copy

    async def copy_within_the_lease(order):
        lease.check(FailPoint.BEFORE_TAG_PUT)
        return await copy(order)

    bench.copier.copy = copy_within_the_lease

    report = await runner.run(rule(), trigger="test")

    assert report.state is RunState.SUCCEEDED
