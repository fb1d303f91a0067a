"""Runs of one process that are cancelled."""

from __future__ import annotations

import asyncio

from replicator.store.records import RunState
from tests.service.conftest import rule

OTHER = "source.io/team/other"


async def test_one_cancelled_run_leaves_those_beside_it_alone(bench):
    bench.source.put("1")
    bench.world.content(OTHER).put("2")
    bench.copier.endless = {"1"}
    looks = asyncio.Queue()
    bench.sleep = lambda seconds: looks.get() if seconds <= 2 else asyncio.Event().wait()
    other = rule("other", source=OTHER, destinations=("other.io/mirror/app",))
    bench.runs.unwanted = frozenset({"run-1"})
    running = asyncio.create_task(bench.runner().run_all([rule(), other], trigger="test"))
    while "run-2" not in bench.runs.finished:  # noqa: ASYNC110 - the fakes set no events
        await asyncio.sleep(0)

    looks.put_nowait("look")
    cancelled, done = await running

    assert (cancelled.state, done.state) == (RunState.CANCELLED, RunState.SUCCEEDED)
    assert bench.runs.finished["run-1"][0] is RunState.CANCELLED
