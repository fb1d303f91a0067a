"""How long the service takes for pages of a thousand rules, and of a run of ten thousand tags.

    python -m benchmarks.page [--rules 1000] [--tags 10000]

Each rule has a run a day for two weeks. Times are from the request to the whole answer, in one
process, without a network: the first, which has nothing kept from before, and the median of some.
On a busy machine the processor time says more. The first line is of a service that has just begun.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

import httpx

from replicator import bootstrap
from replicator.config import Config, ServiceSettings
from replicator.oci.reference import Tag
from replicator.office import open_office
from replicator.page.app import create_page
from replicator.service.access.identity import nobody
from replicator.store.owner import Owner
from replicator.store.records import Outcome, RunState, Totals
from replicator.store.request_sums import RequestSums
from replicator.store.runs import Runs
from tests.page.world import fill_many, many
from tests.store.values import an_action

_ROUNDS = 9


def main():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--rules", type=int, default=1000)
    words.add_argument("--tags", type=int, default=10_000)
    asyncio.run(_measure(words.parse_args()))


async def _measure(asked):
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        database = f"sqlite:///{home}/replicator.db"
        config = Config(service=ServiceSettings(database=database, docker_config=False))
        served = await stack.enter_async_context(bootstrap.open_serving(config))
        await fill_many(served.database, asked.rules)
        run = await _long_run(served.database, asked.tags)
        # As the service does when it begins, and then once an hour.
        await RequestSums(served.database).add_up(datetime.now(UTC))
        office = await stack.enter_async_context(open_office(config, served))
        client = await stack.enter_async_context(_client(office))
        print(f"{asked.rules} rules, a run of {asked.tags} tags:\n")
        print("| page | first ms | of it CPU ms | median ms | of it CPU ms | KiB |")
        print("|---|---|---|---|---|---|")
        for name, path in {
            "overview": "/",
            "overview, found by text": "/?text=99",
            "overview, in step": "/?standing=in-step",
            "rule": "/rules/team-0500",
            "run": f"/runs/{run}",
            "run, found by text": f"/runs/{run}?text=99",
        }.items():
            times, cpu, size = await _times(client, path)
            print(
                f"| {name} | {times[0]:.0f} | {cpu[0]:.0f} | {statistics.median(times):.0f} | "
                f"{statistics.median(cpu):.0f} | {size // 1024} |"
            )


async def _long_run(database, number):
    kept = Runs(database, Owner.this_process())
    record = await kept.start(many(1)[0], "hand", datetime.now(UTC))
    action = an_action(outcome=Outcome.WRITTEN, bytes_moved=1)
    await kept.save(record.id, [replace(action, tag=Tag(f"v{n}")) for n in range(number)])
    await kept.finish(record.id, RunState.SUCCEEDED, Totals({"copied": number}), datetime.now(UTC))
    return record.id


def _client(office):
    async def anybody(_request):
        return nobody("loopback")

    transport = httpx.ASGITransport(create_page(office, anybody))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def _times(client, path):
    times, cpu = [], []
    for _ in range(_ROUNDS):
        began, worked = time.perf_counter(), time.process_time()
        answer = await client.get(path)
        times.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - worked) * 1000)
        answer.raise_for_status()
    return times, cpu, len(answer.content)


if __name__ == "__main__":
    main()
