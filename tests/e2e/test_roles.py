"""Schedulers and workers as processes of their own, on one PostgreSQL; some of them are lost."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from replicator.store import migrate
from tests.e2e.test_serve import Log, config, get, in_blob, runs, serving
from tests.support.embedded import store_image
from tests.support.faults import Faults, hold_body

_TIMING = {"lease": 5.0, "safe": 4.0, "renew": 0.5, "reap": 0.5, "look": 0.5, "grace": 1.0}


@pytest.fixture
async def on_server(replicate, postgres_server):
    """The command line with a database on a server."""
    url = postgres_server.url(postgres_server.create_database())
    await migrate.upgrade(url)
    replicate.variables["REPLICATOR_DATABASE"] = url
    return replicate


@asynccontextmanager
async def armed(replicate, *roles, **arms):
    """A service with short times, which ends or stops at a place."""
    arguments = json.dumps({"timing": _TIMING, **arms}), replicate.folder / "config.toml", *roles
    async with replicate.started(*arguments, module="tests.support.armed") as process:
        log = Log(process)
        await log.until("serving")
        yield log


async def read_all(log):
    """Read on for as long as the process writes, so that it is never held up."""
    async for line in log.process.stderr:
        log.lines.append(json.loads(line))


def said(logs, event):
    return [line for log in logs for line in log.lines if line["event"] == event]


def wide(source, destination, schedule=""):
    return config(source, destination, schedule).replace('/team/app"', '/team/*"')


async def test_a_file_is_for_one_service_that_does_everything(replicate, start_registry):
    source = await start_registry()
    replicate.write_config(config(source, source))

    done = await replicate("serve", "--role", "worker")
    unknown = await replicate("serve", "--role", "cook")

    assert (done.code, unknown.code) == (2, 2)
    assert "leave out --role, or use PostgreSQL" in done.err
    assert "a role is api, scheduler, worker or all" in unknown.err


async def test_each_role_says_how_it_does_and_of_nothing_else(on_server, start_registry):
    source = await start_registry()
    on_server.write_config(config(source, source, include='["none"]'))
    parts = {}
    for role in ("api", "scheduler", "worker"):
        async with serving(on_server, "--role", role) as log:
            # Ready once it has looked around.
            async with asyncio.timeout(10):
                while (found := await get(f"{log.url}/readyz"))[0] != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            parts[role] = json.loads(found[1])["parts"]

    assert parts == {
        "api": {"database": "ok"},
        "scheduler": {"database": "ok", "scheduler": "ok"},
        "worker": {"database": "ok", "worker": "ok"},
    }


async def test_schedulers_and_workers_share_the_work_and_lose_none_with_a_worker(
    on_server, start_registry
):
    source, destination = await start_registry(), await start_registry()
    for name in range(6):
        store_image(source.storage, f"team/app{name}", "1.0", seed=str(name))
    on_server.write_config(wide(source, destination, "every 2s"))

    async with AsyncExitStack() as stack:
        roles = ["scheduler"] * 2 + ["worker"] * 3
        logs, readers = [], []
        for role in roles:
            logs.append(await stack.enter_async_context(armed(on_server, role)))
            # At once: one whose pipe is full would hold up the others.
            readers.append(asyncio.create_task(read_all(logs[-1])))
        async with asyncio.timeout(60):
            while len(said(logs, "run ended")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            logs[2].process.kill()
            ended = len(said(logs, "run ended"))
            while len(said(logs, "run ended")) < ended + 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for reader in readers:
            reader.cancel()

    due = [line["due"] for line in said(logs, "rule is due")]
    assert len(due) == len(set(due)) >= 5
    ends = Counter(line["run"] for line in said(logs, "run ended"))
    assert set(ends.values()) == {1}
    assert {line["state"] for line in said(logs, "run ended")} == {"succeeded"}
    workers = [log for log in logs[2:] if said([log], "item started")]
    assert len(workers) >= 2
    assert len(destination.storage.tags("mirror/team/app3")) == 1


@pytest.mark.parametrize("place", ["after_claim", "after_listing_batch", "before_run_finish"])
async def test_a_worker_that_is_killed_at_a_step_leaves_the_rest_to_another(
    on_server, start_registry, place
):
    source, destination = await start_registry(), await start_registry()
    for name in range(3):
        store_image(source.storage, f"team/app{name}", "1.0", seed=str(name))
    on_server.write_config(wide(source, destination))

    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(armed(on_server, "worker", kill=place))
        await on_server("run", "--detach")
        await first.process.wait()
        second = await stack.enter_async_context(armed(on_server, "worker"))
        ended = await second.until("run ended")

    assert first.process.returncode == -signal.SIGKILL
    assert ended["state"] == "succeeded"
    assert ended["counts"]["selected"] == 3
    assert [len(destination.storage.tags(f"mirror/team/app{name}")) for name in range(3)] == [1] * 3


async def test_a_worker_that_was_paused_past_its_lease_moves_no_tag(on_server, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    on_server.write_config(config(source, destination))

    async with AsyncExitStack() as stack:
        paused = await stack.enter_async_context(armed(on_server, "worker", stop="before_tag_put"))
        await on_server("run", "--detach")
        started = await paused.until("run started")
        second = await stack.enter_async_context(armed(on_server, "worker"))
        ended = await second.until("run ended")
        paused.process.send_signal(signal.SIGCONT)
        await paused.until("item lost")

    assert (ended["run"], ended["state"]) == (started["run"], "succeeded")
    puts = [
        request
        for request in destination.requests
        if request.method == "PUT" and request.target.endswith("/manifests/1.0")
    ]
    assert len(puts) == 1
    assert len(await runs(on_server)) == 1


async def test_a_cancelled_run_ends_with_all_workers_that_have_items_of_it(
    on_server, start_registry
):
    gate, faults = asyncio.Event(), Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    faults.add(hold_body(gate, after=100_000), "GET", "/blobs/")
    for name in range(2):
        store_image(source.storage, f"team/app{name}", "1.0", layers=1, size=400_000)
    on_server.write_config(wide(source, destination))

    async with AsyncExitStack() as stack:
        logs = [
            await stack.enter_async_context(serving(on_server, "--role", "worker"))
            for _ in range(2)
        ]
        asked = await on_server("run", "--detach")
        await in_blob(source)
        readers = [asyncio.create_task(read_all(log)) for log in logs]
        await on_server("runs", "cancel", asked.out.split()[-1])
        async with asyncio.timeout(5):
            while not said(logs, "run ended"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for reader in readers:
            reader.cancel()

    assert [line["state"] for line in said(logs, "run ended")] == ["cancelled"]


async def test_a_rule_that_is_edited_counts_within_five_seconds(on_server, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    await on_server(
        "rule", "add", "app", "--source", f"{source.host}/team/app",
        "--destination", f"{destination.host}/mirror/app",
    )  # fmt: skip

    async with serving(on_server, "--role", "scheduler") as log:
        done = await on_server("rule", "edit", "app", "--schedule", "every 1s")
        async with asyncio.timeout(5):
            await log.until("rule is due", rule="app")

    assert done.code == 0, done.err
