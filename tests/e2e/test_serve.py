"""``replicate serve`` as a process: rules on time, signals, health, and runs asked for."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sqlite3
import urllib.request
from contextlib import asynccontextmanager
from urllib.error import HTTPError

import pytest

from tests.e2e.test_interrupted import read_until
from tests.support.embedded import store_image
from tests.support.faults import Faults, answer, hold_body

_PATIENCE = 30.0


class Log:
    """What a service writes, line by line."""

    def __init__(self, process):
        self.process = process
        self.lines = []

    async def until(self, event, **about):
        """Read on until there is a line about *event*, and return it."""
        async with asyncio.timeout(_PATIENCE):
            async for line in self.process.stderr:
                entry = json.loads(line)
                self.lines.append(entry)
                if entry["event"] == event and about.items() <= entry.items():
                    return entry
        raise AssertionError(f"no {event!r} in {self.lines}")


@asynccontextmanager
async def serving(replicate, *options):
    async with replicate.started("serve", "--listen", "127.0.0.1:0", *options) as process:
        log = Log(process)
        entry = await log.until("serving")
        log.url = f"http://{entry['on']}"
        yield log


async def get(url):
    def ask():
        try:
            with urllib.request.urlopen(url) as answered:  # noqa: S310 - our own server
                return answered.status, answered.read().decode()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    return await asyncio.to_thread(ask)


def config(source, destination, schedule="", service="", include='["1.*"]'):
    due = f'schedule = "{schedule}"' if schedule else ""
    return f"""
[service]
{service}
[[rules]]
name = "app"
source = "{source.host}/team/app"
destinations = ["{destination.host}/mirror/{{repository}}"]
tags = {{ include = {include} }}
{due}
"""


@pytest.fixture
def gate():
    return asyncio.Event()


@pytest.fixture
async def held(start_registry, gate):
    """A source that stops in the middle of each layer until the gate opens, and a destination."""
    faults = Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    faults.add(hold_body(gate, after=100_000), "GET", "/blobs/")
    store_image(source.storage, "team/app", "1.0", layers=1, size=400_000)
    return source, destination


async def in_blob(source):
    """Return when a layer is being read."""
    async with asyncio.timeout(_PATIENCE):
        while not any("/blobs/" in request.target for request in source.requests):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def runs(replicate):
    done = await replicate("runs", "list", "--json")
    return done.json["runs"]


async def test_a_rule_runs_when_it_is_due_and_what_is_new_at_the_source_arrives(
    replicate, start_registry
):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    replicate.write_config(config(source, destination, "every 1s"))

    async with serving(replicate) as log:
        due = await log.until("rule is due", rule="app")
        ended = await log.until("run ended", run=due["run"])
        store_image(source.storage, "team/app", "1.1", seed="new")
        await log.until("tag copied", destination=f"{destination.host}/mirror/team/app:1.1")

    assert (ended["rule"], ended["state"]) == ("app", "succeeded")
    assert destination.storage.tags("mirror/team/app") == ["1.0", "1.1"]


async def test_sigterm_lets_a_copy_end_and_exits_with_0(replicate, held, gate):
    source, destination = held
    replicate.write_config(config(source, destination, "every 1s"))

    async with serving(replicate) as log:
        await log.until("run started")
        await in_blob(source)
        log.process.send_signal(signal.SIGTERM)
        await log.until("stopping")
        status, body = await get(f"{log.url}/readyz")
        gate.set()
        await log.until("stopped")
        code = await log.process.wait()

    assert (status, json.loads(body)["parts"]["worker"]) == (503, "stopping")
    assert code == 0
    assert destination.storage.tags("mirror/team/app") == ["1.0"]


async def test_a_copy_that_outlasts_the_grace_goes_on_after_the_next_start(replicate, held, gate):
    source, destination = held
    replicate.write_config(config(source, destination, "every 1s", 'grace = "200ms"'))
    async with serving(replicate) as log:
        started = await log.until("run started")
        await in_blob(source)
        log.process.send_signal(signal.SIGTERM)
        await log.until("copies broken off")
        await log.until("stopped")
        assert await log.process.wait() == 0
    (waiting, *_) = await runs(replicate)
    gate.set()

    async with serving(replicate) as log:
        again = await log.until("run started", run=started["run"])
        ended = await log.until("run ended", run=started["run"])

    assert waiting["state"] == "queued"
    assert (again["attempt"], ended["state"]) == (1, "succeeded")
    assert destination.storage.tags("mirror/team/app") == ["1.0"]


async def test_a_second_sigterm_ends_it_at_once(replicate, held):
    source, destination = held
    replicate.write_config(config(source, destination, "every 1s"))

    async with serving(replicate) as log:
        await log.until("run started")
        await in_blob(source)
        log.process.send_signal(signal.SIGTERM)
        await log.until("stopping")
        log.process.send_signal(signal.SIGTERM)
        code = await log.process.wait()

    assert code == 128 + signal.SIGTERM


async def test_a_run_whose_service_is_gone_says_so_and_is_cancelled_at_once(replicate, held, gate):
    source, destination = held
    replicate.write_config(config(source, destination))
    async with serving(replicate) as log:
        run = (await replicate("run", "app", "--detach")).out.split()[-1]
        await in_blob(source)
        running = await runs(replicate)
        log.process.send_signal(signal.SIGINT)
        await log.until("stopping")
        log.process.send_signal(signal.SIGINT)
        assert await log.process.wait() == 130

    waiting, status = await runs(replicate), await replicate("status", "--json")
    refused = await replicate("run", "app")
    cancelled = await replicate("runs", "cancel", run)
    gate.set()
    again = await replicate("run", "app")

    assert [each["state"] for each in running + waiting] == ["running", "queued"]
    assert status.json["rules"][0]["under_way"]["state"] == "queued"
    assert f"process {log.process.pid} on " in refused.complaint
    assert f"is gone, and waits for a service: {run}; start one with" in refused.complaint
    assert cancelled.out == f"{run} is cancelled\n"
    assert again.code == 0, again.err


async def test_a_service_that_is_killed_in_a_blob_goes_on_after_its_next_start(
    replicate, held, gate
):
    source, destination = held
    replicate.write_config(config(source, destination, "every 1s"))
    async with serving(replicate) as log:
        started = await log.until("run started")
        await in_blob(source)
        log.process.kill()
        await log.process.wait()
    assert destination.storage.tags("mirror/team/app") == []
    gate.set()

    async with serving(replicate) as log:
        again = await log.until("run started", run=started["run"])
        ended = await log.until("run ended", run=started["run"])

    assert (again["attempt"], ended["state"]) == (2, "succeeded")
    assert destination.storage.tags("mirror/team/app") == ["1.0"]


async def test_a_run_is_cancelled_in_the_middle_of_a_blob_within_five_seconds(replicate, held):
    source, destination = held
    replicate.write_config(config(source, destination))

    async with serving(replicate) as log:
        asked = await replicate("run", "app", "--detach")
        run = asked.out.split()[-1]
        await in_blob(source)
        cancelled = await replicate("runs", "cancel", run)
        before = asyncio.get_running_loop().time()
        ended = await log.until("run ended", run=run)
        after = asyncio.get_running_loop().time()

    assert cancelled.out == f"{run} is being cancelled\n"
    assert ended["state"] == "cancelled"
    assert after - before < 5
    assert destination.storage.tags("mirror/team/app") == []


async def test_a_run_of_a_person_is_cancelled_too_and_fails(replicate, held):
    source, destination = held
    replicate.write_config(config(source, destination))

    async with replicate.started("run") as process:
        await in_blob(source)
        (run,) = await runs(replicate)
        await replicate("runs", "cancel", run["run"])
        code = await process.wait()

    assert code == 1
    assert [each["state"] for each in await runs(replicate)] == ["cancelled"]


async def test_only_failed_tags_are_retried(replicate, start_registry):
    faults = Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    for tag in ("1.0", "1.1"):
        store_image(source.storage, "team/app", tag, seed=tag)
    denied = faults.add(answer(403), "GET", "/manifests/1.1")
    replicate.write_config(config(source, destination))
    first = await replicate("run")
    faults.clear()
    (run,) = await runs(replicate)

    done = await replicate("runs", "retry", run["run"], "--failed")
    nothing = await replicate("runs", "retry", (await runs(replicate))[0]["run"], "--failed")

    assert (first.code, denied.hits > 0) == (3, True)
    assert done.code == 0, done.err
    assert "1 tag copied, 0 in step" in done.out
    assert destination.storage.tags("mirror/team/app") == ["1.0", "1.1"]
    assert (nothing.code, "has no failed tags" in nothing.complaint) == (2, True)


async def test_a_retry_may_be_left_to_the_service(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    replicate.write_config(config(source, destination))
    await replicate("run")
    (run,) = await runs(replicate)

    async with serving(replicate) as log:
        asked = await replicate("runs", "retry", run["run"], "--detach")
        ended = await log.until("run ended", run=asked.out.split()[-1])

    assert ended["counts"] == {"selected": 1, "skipped": 1}


async def test_nothing_is_left_to_a_service_that_is_not_there(replicate, start_registry):
    source = await start_registry()
    replicate.write_config(config(source, source))
    await replicate("db", "upgrade")

    done = await replicate("run", "--detach")

    assert done.code == 2
    assert "no service uses this database; start `replicate serve`" in done.complaint
    assert await runs(replicate) == []


async def test_a_service_says_that_it_is_well_and_what_it_does(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    replicate.write_config(config(source, destination, "every 1h"))

    async with serving(replicate) as log:
        asked = await replicate("run", "--detach")
        await log.until("run ended", run=asked.out.split()[-1])
        alive = await get(f"{log.url}/healthz")
        ready = await get(f"{log.url}/readyz")
        _, metrics = await get(f"{log.url}/metrics")

    assert alive == (200, "alive\n")
    assert ready[0] == 200
    parts = {"database": "ok", "scheduler": "ok", "worker": "ok"}
    assert json.loads(ready[1]) == {"ready": True, "parts": parts}
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line[0] != "#")
    assert values['replicator_runs_total{state="succeeded"}'] == "1.0"
    assert values['replicator_tags_total{outcome="copied"}'] == "1.0"
    moved = f'replicator_bytes_total{{kind="moved",registry="{destination.host}"}}'
    assert float(values[moved]) > 2000
    put = f'{{kind="manifest_put",registry="{destination.host}",status="201"}}'
    assert values[f"replicator_requests_total{put}"] == "1.0"
    assert values["replicator_runs_waiting"] == values["replicator_runs_under_way"] == "0.0"
    assert 0 <= float(values['replicator_rule_lag_seconds{rule="app"}']) < 60
    assert 3500 < float(values['replicator_rule_next_due_seconds{rule="app"}']) <= 3600


async def test_a_service_shows_what_is_left_of_an_error_budget(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    replicate.write_config(config(source, destination) + 'objective = "1h"')
    await replicate("run")

    async with serving(replicate) as log, asyncio.timeout(_PATIENCE):
        # It is added up while the service begins to answer.
        while "replicator_rule_error_budget_left_ratio{" not in (metrics := await shown(log)):
            pass

    assert 'replicator_rule_error_budget_left_ratio{rule="app"} 1.0' in metrics


async def shown(log):
    return (await get(f"{log.url}/metrics"))[1]


async def test_a_service_whose_schema_is_changed_under_it_is_not_ready(replicate, start_registry):
    source = await start_registry()
    replicate.write_config(config(source, source, include='["none"]'))

    async with serving(replicate) as log:
        with sqlite3.connect(replicate.folder / "replicator.db") as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
        status, body = await get(f"{log.url}/readyz")

    assert status == 503
    assert "newer version of replicate" in json.loads(body)["parts"]["database"]


async def test_an_address_that_is_taken_is_told_in_one_line(replicate, start_registry):
    source = await start_registry()
    replicate.write_config(config(source, source))

    done = await replicate("serve", "--listen", source.host)

    assert done.code == 2
    said = f"cannot listen on {source.host}: another program uses this address already"
    assert done.err.splitlines()[-1] == f"replicate: {said}"


async def test_on_a_terminal_a_service_says_in_plain_words_where_it_is_and_how_it_ends(
    replicate, start_registry
):
    source = await start_registry()
    replicate.write_config(config(source, source, service='grace = "7s"'))
    terminal, theirs = pty.openpty()

    process = await replicate.start("serve", "--listen", "127.0.0.1:0", stderr=theirs)
    os.close(theirs)
    begun = await asyncio.to_thread(read_until, terminal, b"version")
    process.send_signal(signal.SIGINT)
    ended = await asyncio.to_thread(read_until, terminal, b"stopped")
    await process.communicate()
    os.close(terminal)

    plain, last = (re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()) for shown in (begun, ended))
    assert re.search(r"page=http://127\.0\.0\.1:[1-9]\d*/\s", plain)
    assert "database=replicator.db" in plain
    assert "roles=['api', 'scheduler', 'worker']" in plain
    assert "copies under way get 7.0 s to end; a second signal ends them at once" in last
    assert process.returncode == 0


async def test_no_secret_is_in_logs_or_metrics(replicate, start_registry):
    faults = Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    faults.add(answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'}))
    secret = "canary-4711"
    text = config(source, destination, "every 1s")
    text += f'[registries."{source.host}"]\n'
    text += f'credential = {{ username = "u", password = "{secret}" }}\n'
    replicate.write_config(text)

    async with replicate.started("-vv", "serve", "--listen", "127.0.0.1:0") as process:
        log = Log(process)
        url = f"http://{(await log.until('serving'))['on']}"
        ended = await log.until("run ended")
        _, metrics = await get(f"{url}/metrics")

    assert ended["state"] == "failed"
    assert secret not in json.dumps(log.lines) + metrics
