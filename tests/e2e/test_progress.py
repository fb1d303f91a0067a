"""How far a run is can be seen by anybody, and what it moved stays known however it ends."""

from __future__ import annotations

import asyncio
import re
import signal

import pytest

from tests.e2e.test_roles import armed, on_server
from tests.e2e.test_serve import config, runs
from tests.support.embedded import store_image_of, store_layer
from tests.support.faults import Faults, hold_body
from tests.support.gate import Gate

__all__ = ["on_server"]

SIZE, HALF = 4_000_000, 3_000_000


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
async def slow(start_registry, gate):
    """A source that stops within a layer until the gate opens, and a destination."""
    faults = Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    layer = store_layer(source.storage, "team/app", "large", SIZE)
    store_image_of(source.storage, "team/app", "1.0", [layer])
    faults.add(hold_body(gate, after=HALF), "GET", f"/blobs/{layer.blob.digest}")
    return source, destination


async def moving(replicate):
    """Return the only run, once some of its bytes are known to have moved."""
    async with asyncio.timeout(30):
        while True:
            (run,) = await runs(replicate)
            if run["bytes"]["moved"]:
                return run
            await asyncio.sleep(0.1)


async def test_who_asks_sees_what_a_worker_has_moved_and_a_cancelled_run_keeps_it(
    on_server, slow, gate
):
    on_server.write_config(config(*slow))
    async with armed(on_server, "worker") as worker:
        asked = await on_server("run", "--detach")
        await gate.reached.wait()
        running = await moving(on_server)
        run = asked.out.split()[-1]
        shown, status = await on_server("runs", "show", run), await on_server("status")
        told = (await on_server("status", "--json")).json["rules"][0]["under_way"]
        await on_server("runs", "cancel", run)
        await worker.until("run ended")
        (ended,) = await runs(on_server)

    so_far = r"\d\.\d MiB moved, 0 B mounted, 0 B skipped so far"
    assert running["state"] == "running"
    assert re.search(so_far, shown.out)
    assert re.search(f"app: running, {so_far}; run {run}", status.out)
    assert told["run"] == run
    assert 0 < running["bytes"]["moved"] <= told["bytes"]["moved"] <= ended["bytes"]["moved"]
    assert ended["state"] == "cancelled"
    assert HALF <= ended["bytes"]["moved"] < SIZE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_run_that_is_interrupted_keeps_what_it_moved_and_the_next_moves_the_rest(
    replicate, slow, gate, number
):
    replicate.write_config(config(*slow))
    async with replicate.started("run") as process:
        await gate.reached.wait()
        process.send_signal(number)
        await process.communicate()
    (interrupted,) = await runs(replicate)
    gate.set()
    again = await replicate("run")

    assert interrupted["state"] == "cancelled"
    assert HALF <= interrupted["bytes"]["moved"] < SIZE
    assert again.code == 0


async def test_a_run_that_is_killed_keeps_what_it_had_told(replicate, slow, gate):
    replicate.write_config(config(*slow))
    async with replicate.started("run") as process:
        await gate.reached.wait()
        await moving(replicate)
        process.kill()
        await process.communicate()
    gate.set()
    await replicate("run")
    again, killed = await runs(replicate)

    assert (again["state"], killed["state"]) == ("succeeded", "failed")
    assert killed["bytes"]["moved"] > HALF / 2
