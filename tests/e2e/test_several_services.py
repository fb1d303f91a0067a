"""Several services on one PostgreSQL: each due time once, and nothing lost with one of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from replicator.store import migrate
from tests.e2e.test_serve import config, in_blob, runs, serving
from tests.support.embedded import store_image
from tests.support.faults import Faults, hold_body


@pytest.fixture
async def on_server(replicate, postgres_server):
    """The command line with a database on a server."""
    url = postgres_server.url(postgres_server.create_database())
    await migrate.upgrade(url)
    replicate.variables["REPLICATOR_DATABASE"] = url
    return replicate


async def test_each_due_time_is_one_services_and_all_runs_end(on_server, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    on_server.write_config(config(source, destination, "every 1s"))

    async with AsyncExitStack() as stack:
        logs = [await stack.enter_async_context(serving(on_server)) for _ in range(2)]
        ended = asyncio.Semaphore(0)
        readers = [asyncio.create_task(read(log, ended)) for log in logs]
        for _ in range(4):
            await ended.acquire()
        for reader in readers:
            reader.cancel()
    lines = [line for log in logs for line in log.lines]

    due = [line["due"] for line in lines if line["event"] == "rule is due"]
    assert len(due) == len(set(due)) >= 4
    assert {line["state"] for line in lines if line["event"] == "run ended"} == {"succeeded"}
    assert destination.storage.tags("mirror/team/app") == ["1.0"]


async def read(log, ended):
    """Note each run that a service ended."""
    while True:
        await log.until("run ended")
        ended.release()


async def test_what_a_killed_service_had_begun_the_other_one_ends(on_server, start_registry):
    gate, faults = asyncio.Event(), Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    faults.add(hold_body(gate, after=100_000), "GET", "/blobs/")
    store_image(source.storage, "team/app", "1.0", layers=1, size=400_000)
    on_server.write_config(config(source, destination))

    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(on_server))
        await on_server("run", "--detach")
        started = await first.until("run started")
        await in_blob(source)
        second = await stack.enter_async_context(serving(on_server))
        first.process.kill()
        await first.process.wait()
        again = await second.until("run started")
        gate.set()
        ended = await second.until("run ended")

    assert (again["run"], again["attempt"]) == (started["run"], 2)
    assert (ended["run"], ended["state"]) == (started["run"], "succeeded")
    assert len(await runs(on_server)) == 1
    assert destination.storage.tags("mirror/team/app") == ["1.0"]
