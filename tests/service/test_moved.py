"""What a run moves is known while it goes on, and stays known however it ends."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import StoreError
from replicator.service.processes.moved import Moved
from replicator.store.items import Items
from replicator.store.reaper import Reaper
from replicator.store.records import RunState
from replicator.transfer.order import Tally
from tests.service.conftest import rule
from tests.service.test_taken_up_runs import ELSEWHERE, Shop, database_url, shop

__all__ = ["database_url", "shop"]


@pytest.fixture
def ticks():
    """When it is time for a sign of life."""
    return asyncio.Queue()


@pytest.fixture
def slow(bench, ticks):
    """A bench with a copy that does not end, and signs of life when they are asked for."""
    bench.source.put("1")
    bench.copier.endless = {"1"}
    bench.sleep = lambda seconds: ticks.get() if seconds > 2 else asyncio.Event().wait()
    return bench


async def begun(bench, running):
    task = asyncio.create_task(running)
    while not bench.copier.running:  # noqa: ASYNC110 - the fakes set no events
        await asyncio.sleep(0)
    return task


async def test_each_sign_of_life_says_what_moved_since_the_last_one(slow, ticks):
    running = await begun(slow, slow.runner().run(rule(), trigger="test"))
    for brought in (5, 5, 12):
        slow.copier.brought = Tally(bytes_moved=brought)
        ticks.put_nowait("go on")
        await slow.runs.renewed.acquire()
    running.cancel()
    await asyncio.wait([running])

    assert slow.runs.moved == [
        {"run-1": Tally(bytes_moved=5)},
        {},
        {"run-1": Tally(bytes_moved=7)},
    ]


async def test_what_could_not_be_told_is_told_with_the_next_sign(slow, ticks):
    renew, failed = slow.runs.renew, asyncio.Event()

    async def fail(*_):
        slow.runs.renew = renew
        failed.set()
        raise StoreError("the database went away")

    slow.runs.renew = fail
    slow.copier.brought = Tally(bytes_moved=5)
    running = await begun(slow, slow.runner().run(rule(), trigger="test"))
    ticks.put_nowait("go on")
    await failed.wait()
    ticks.put_nowait("go on")
    await slow.runs.renewed.acquire()
    running.cancel()
    await asyncio.wait([running])

    assert slow.runs.moved == [{"run-1": Tally(bytes_moved=5)}]


async def test_a_run_that_is_interrupted_keeps_what_it_moved(slow):
    slow.copier.brought = Tally(bytes_moved=5, bytes_skipped=2)
    running = await begun(slow, slow.runner().run(rule(), trigger="test"))

    running.cancel()
    await asyncio.wait([running])

    state, totals, _ = slow.runs.finished["run-1"]
    assert state is RunState.CANCELLED
    assert (totals.bytes_moved, totals.bytes_skipped) == (5, 2)


async def test_a_served_run_that_is_cancelled_keeps_what_it_moved(shop):
    shop.bench.source.put("1", "2")
    shop.bench.copier.endless = {"2"}
    shop.bench.copier.brought = Tally(bytes_moved=7)
    added = await shop.add(rule())
    _, running = await shop.under_way()
    await shop.bench.copier.done.acquire()
    keeping = asyncio.create_task(shop.life.keep())

    await shop.queue.cancel(added.id, shop.bench.clock())
    shop.looks.put_nowait("look")
    report = await running
    keeping.cancel()
    await asyncio.wait([keeping])
    record, _ = await shop.runs.show(added.id)

    assert (report.state, report.tally.bytes_moved) == (RunState.CANCELLED, 17)
    assert record.totals.bytes_moved == 17


async def test_a_run_that_is_cancelled_while_it_waits_keeps_what_it_moved_before(shop):
    shop.bench.source.put("1")
    shop.bench.copier.endless = {"1"}
    shop.bench.copier.brought = Tally(bytes_moved=7)
    added = await shop.add(rule())
    _, running = await shop.under_way()
    keeping = asyncio.create_task(shop.life.keep())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    # As when a service ends, which gives back first and ceases to give signs then.
    keeping.cancel()
    await asyncio.wait([keeping])
    waiting, _ = await shop.runs.show(added.id)
    await shop.queue.cancel(added.id, shop.bench.clock())
    cancelled, _ = await shop.runs.show(added.id)

    assert (waiting.state, waiting.totals.bytes_moved) == (RunState.QUEUED, 7)
    assert (cancelled.state, cancelled.totals.bytes_moved) == (RunState.CANCELLED, 7)


async def test_what_a_lost_worker_had_told_is_not_lost_with_it(bench, database):
    bench.source.put("1")
    bench.copier.endless = {"1"}
    bench.copier.brought = Tally(bytes_moved=70)
    shop, ticks, theirs = Shop(bench, database), asyncio.Queue(), Items(database, ELSEWHERE)
    lost = shop.worker(
        theirs, sleep=lambda seconds: ticks.get() if seconds > 2 else asyncio.Event().wait()
    )
    added = await shop.add(rule())
    running = await begun(bench, lost.carry_out(await shop.claim(theirs)))
    keeping = asyncio.create_task(shop.life.keep())
    ticks.put_nowait("go on")
    async with asyncio.timeout(10):
        while not (await shop.runs.show(added.id))[0].totals.bytes_moved:  # noqa: ASYNC110
            await asyncio.sleep(0)
    told, _ = await shop.runs.show(added.id)

    # Whoever takes it up then knows nothing of the attempt before.
    bench.clock.pass_time(minutes=1)
    await Reaper(database).reap(bench.clock())
    bench.copier.endless = set()
    report = await shop.worker().carry_out(await shop.claim())
    running.cancel()
    keeping.cancel()
    await asyncio.wait([running, keeping])
    ended, _ = await shop.runs.show(added.id)

    assert (told.state, told.totals.bytes_moved) == (RunState.RUNNING, 70)
    assert report.state is RunState.SUCCEEDED
    assert ended.totals.bytes_moved == 70


def test_what_ended_is_told_even_when_nothing_of_it_is_left():
    moved = Moved()
    with moved.counted("one", lambda: Tally(bytes_moved=3)):
        pass
    with moved.counted("over", lambda: Tally(bytes_moved=4)):
        pass
    moved.forget("over")

    assert moved.take() == {"one": Tally(bytes_moved=3)}
    assert moved.take() == {}
