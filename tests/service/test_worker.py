"""A worker takes up what it has room for, and one item at a time in the last try."""

from __future__ import annotations

import asyncio

import pytest

from replicator.oci.reference import RepositoryName
from replicator.service.processes.engine import LocalEngine
from replicator.service.processes.worker import Worker
from replicator.store.item_records import Claim, ItemKind, Piece
from replicator.store.work_tables import MOST_LOSSES
from tests.store.values import NOON

LAST = MOST_LOSSES - 1
_PIECE = Piece((RepositoryName("a.io", "app"),))


class Waiting:
    """Items that wait, by how many owners were lost over each."""

    def __init__(self, *losses):
        self._left = [
            Claim(1, n, 1, ItemKind.COPYING, "rule", _PIECE, lost) for n, lost in enumerate(losses)
        ]

    async def claim(self, now, *, limit=1, last_try=True):
        ordinary = [claim for claim in self._left if not claim.is_last_try][:limit]
        last = [claim for claim in self._left if claim.is_last_try][: int(last_try)]
        for claim in (*ordinary, *last):
            self._left.remove(claim)
        return [*ordinary, *last]


class Held:
    """Carries out items until it is told that one is done."""

    def __init__(self):
        self._ends = {}
        self._news = asyncio.Condition()
        self.begun = []

    async def carry_out(self, claim):
        self._ends[claim.n] = asyncio.Event()
        async with self._news:
            self.begun.append(claim.n)
            self._news.notify_all()
        await self._ends[claim.n].wait()
        del self._ends[claim.n]

    async def under_way(self, begun):
        """Return what is under way when so many have begun."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.begun) >= begun)
        return sorted(self._ends)

    def end(self, n):
        self._ends[n].set()

    async def drain(self):
        pass


@pytest.fixture
async def start():
    """Starts a worker with some slots, for items with so many losses."""
    running = []

    def start(*losses, slots):
        runner = Held()
        worker = Worker(
            items=Waiting(*losses),
            runner=runner,
            engine=LocalEngine(),
            clock=lambda: NOON,
            tell=lambda report: None,
            slots=slots,
        )
        running.append((worker, asyncio.create_task(worker.run())))
        return runner

    yield start
    for worker, task in running:
        task.cancel()
        await worker.finish(0)


async def test_one_item_at_a_time_is_in_the_last_try_and_takes_no_slot(start):
    runner = start(LAST, LAST, 0, 1, 0, slots=2)

    assert await runner.under_way(begun=3) == [0, 2, 3]
    runner.end(0)
    runner.end(2)

    assert await runner.under_way(begun=5) == [1, 3, 4]


async def test_the_next_last_try_begins_when_the_one_before_is_done(start):
    runner = start(LAST, LAST, LAST, slots=2)

    for n in range(3):
        assert await runner.under_way(begun=n + 1) == [n]
        runner.end(n)

    assert runner.begun == [0, 1, 2]
