"""Measure the engine alone: items that workers drain, and due times that a scheduler decides.

    python -m benchmarks.engine [--items 100000] [--workers 4] [--rules 10000]

No registry is asked: an item is taken up, and done with. PostgreSQL runs on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, insert, select

from replicator.oci.reference import RepositoryName
from replicator.planning.rule import Origin, Rule
from replicator.service.processes.carried_engine import ProcrastinateEngine
from replicator.service.processes.engine import LocalEngine
from replicator.service.processes.worker import Worker
from replicator.service.scheduling.alarm import ClockAlarm
from replicator.service.scheduling.scheduler import Scheduler
from replicator.store import migrate
from replicator.store.carrier import QUEUE, TASK
from replicator.store.database import Database
from replicator.store.documents import rule_to_document
from replicator.store.fires import Fires
from replicator.store.item_records import ItemKind, Piece
from replicator.store.items import Items
from replicator.store.owner import Owner
from replicator.store.queue import Queue
from replicator.store.records import RunState, Totals
from replicator.store.tables import rule, rule_fire, run
from replicator.store.work_tables import ItemState, item
from tests.support.postgres import postgres

_RULE = Rule("wide", "source.io/*", ("destination.io/{repository}",))
_BATCH = 100
# Items until all workers have started.
_WARM = 200
_TELL_EVERY = 10  # seconds


def main() -> None:
    logging.disable(logging.WARNING)  # What it measures would be told ten thousand times.
    options = argparse.ArgumentParser()
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--workers", type=int, default=4)
    options.add_argument("--rules", type=int, default=10_000)
    options.add_argument("--work-for", metavar="URL", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.work_for:
        asyncio.run(work(chosen.work_for))
        return
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with postgres() as server:
        if chosen.items:
            asyncio.run(drain(new_database(server), server.pid, chosen.items, chosen.workers))
        if chosen.rules:
            asyncio.run(fire(new_database(server), server.pid, chosen.rules))


def new_database(server) -> str:
    url = server.url(server.create_database())
    asyncio.run(migrate.upgrade(url))
    return url


async def drain(url: str, server: int, number: int, workers: int) -> None:
    """Let *workers* processes drain *number* items of one run."""
    async with await Database.open(url, upgrade=False) as database:
        items = Items(database, Owner.this_process())
        added = await Queue(database).add(_RULE, "benchmark", now())
        (listing,) = await items.claim(now())
        writing = Spent([os.getpid()], server)
        for start in range(0, number, _BATCH):
            names = range(start, min(start + _BATCH, number))
            pieces = [Piece((RepositoryName("source.io", f"repository/{n}"),)) for n in names]
            await items.add(listing, pieces, now())
        print(f"written: {number:,} items with their messages; {writing.of(number)}", flush=True)
        await items.finish(listing, {}, now())
        command = [sys.executable, "-m", "benchmarks.engine", "--work-for", url]
        processes = [subprocess.Popen(command) for _ in range(workers)]  # noqa: ASYNC220 - at once
        try:
            await until_left(database, number - _WARM)
            draining = Spent([process.pid for process in processes], server)
            await until_left(database, 0)
            while not await finished(database, added.number):  # noqa: ASYNC110 - as rarely
                await asyncio.sleep(0.2)
            spent = draining.of(number - _WARM)
        finally:
            for process in processes:
                process.terminate()
                process.wait()
        print(f"drained: {number:,} items over {workers} workers; {spent}", flush=True)


async def until_left(database: Database, number: int) -> None:
    """Wait until so many items are left, and tell from time to time how many are."""
    query = select(func.count()).select_from(item).where(item.c.state != ItemState.DONE.value)
    told = time.monotonic()
    while True:
        async with database.reading() as connection:
            left = await connection.scalar(query)
        if left <= number:
            return
        if time.monotonic() - told > _TELL_EVERY:
            told = time.monotonic()
            print(f"  {left:,} items are left", flush=True)
        await asyncio.sleep(0.5)


async def finished(database: Database, number: int) -> bool:
    async with database.reading() as connection:
        query = select(run.c.finished_at).where(run.c.number == number)
        return await connection.scalar(query) is not None


async def work(url: str) -> None:
    """Drain items until ended."""
    async with await Database.open(url, upgrade=False) as database:
        engine = ProcrastinateEngine(database.dsn, queue=QUEUE, task=TASK)
        items = Items(database, Owner.this_process())
        worker = Worker(
            items=items,
            runner=Idle(items),
            engine=engine,
            clock=now,
            tell=lambda report: None,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            group.create_task(worker.run())


class Idle:
    """Is done with an item at once."""

    def __init__(self, items: Items) -> None:
        self._items = items

    async def carry_out(self, claim):
        following = await self._items.finish(claim, {"counts": {"skipped": 1}}, now())
        if following is not None and following.kind is ItemKind.CLOSING:
            await self._items.summaries(following)
            await self._items.close(following, RunState.SUCCEEDED, Totals(), now(), error="")

    async def drain(self):
        pass


async def fire(url: str, server: int, number: int) -> None:
    """Let one scheduler decide a minute's due times of *number* rules."""
    async with await Database.open(url, upgrade=False) as database:
        definition = rule_to_document(replace(_RULE, source="a.io/b", schedule="* * * * *"))
        rows = [
            {"name": f"rule-{n}", "revision": 1, "origin": Origin.FILE.value, "enabled": True,
             "definition": definition}
            for n in range(number)
        ]  # fmt: skip
        async with database.writing() as connection:
            await connection.execute(insert(rule), rows)
        fires = Timed(Fires(database))
        scheduler = Scheduler(fires=fires, alarm=ClockAlarm(now), engine=LocalEngine(), clock=now)
        looking = Spent([os.getpid()], server)
        running = asyncio.create_task(scheduler.run())
        while len(scheduler.next_fires) < number:
            assert not running.done(), "the scheduler ended"
            await asyncio.sleep(0.2)
        print(f"seen: {number:,} rules for the first time; {looking.of(number)}", flush=True)
        due = max(scheduler.next_fires.values())
        await asyncio.sleep((due - now()).total_seconds())
        firing = Spent([os.getpid()], server)
        fires.spent = 0
        query = select(func.count()).select_from(rule_fire).where(rule_fire.c.fire_at == due)
        decided = 0
        while decided < number and (now() - due).total_seconds() < 120:
            await asyncio.sleep(0.2)
            async with database.reading() as connection:
                decided = await connection.scalar(query)
        late = (now() - due).total_seconds()
        spent = firing.of(max(decided, 1))
        running.cancel()
    print(f"fired: {decided:,} rules of one minute within {late:.1f} s of it; {spent}")
    print(f"in transactions: {1000 * fires.spent / max(decided, 1):.2f} ms a fire")


class Timed:
    """Fires, and how long their transactions took."""

    def __init__(self, fires: Fires) -> None:
        self._fires = fires
        self.spent = 0.0

    async def decide(self, names):
        began = time.perf_counter()
        verdicts = await self._fires.decide(names)
        self.spent += time.perf_counter() - began
        return verdicts

    def __getattr__(self, name):
        return getattr(self._fires, name)


class Spent:
    """Time and CPU from now on, of some processes and of a PostgreSQL server."""

    def __init__(self, processes: Sequence[int], server: int) -> None:
        self._processes, self._server = processes, server
        self._began, self._cpu = time.monotonic(), self._cpu_now()

    def of(self, number: int) -> str:
        """Say what each of so many things took."""
        took = time.monotonic() - self._began
        ours, servers = (
            1000 * (after - before) / number
            for after, before in zip(self._cpu_now(), self._cpu, strict=True)
        )
        return f"{number / took:,.0f} a second, CPU {ours:.2f} + {servers:.2f} ms (PostgreSQL) each"

    def _cpu_now(self) -> tuple[float, float]:
        """Return the seconds that our processes and the server's used, those that ended too."""
        ours, servers = 0, 0
        for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
            try:
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            own, ended = sum(map(int, stat[11:13])), sum(map(int, stat[13:15]))
            if pid in self._processes:
                ours += own
            elif pid == self._server:
                servers += own + ended
            elif int(stat[1]) == self._server:
                servers += own
        ticks = os.sysconf("SC_CLK_TCK")
        return ours / ticks, servers / ticks


def now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
