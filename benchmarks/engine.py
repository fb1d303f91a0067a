"""Measure the engine alone: items that workers drain, and due times that a scheduler decides.

    python -m benchmarks.engine [--items 100000] [--workers 4] [--rules 10000]

No registry is asked: an item is taken up, and done with. PostgreSQL runs on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import func, insert, select

from replicator.oci.reference import RepositoryName
from replicator.planning.rule import Origin, Rule
from replicator.service.alarm import ClockAlarm
from replicator.service.carried_engine import ProcrastinateEngine
from replicator.service.engine import LocalEngine
from replicator.service.scheduler import Scheduler
from replicator.service.worker import Worker
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
from tests.support.postgres import postgres

_RULE = Rule("wide", "source.io/*", ("destination.io/{repository}",))
_BATCH = 100


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--workers", type=int, default=4)
    options.add_argument("--rules", type=int, default=10_000)
    options.add_argument("--work-for", metavar="URL", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.work_for:
        asyncio.run(work(chosen.work_for))
        return
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with postgres() as server:
        if chosen.items:
            asyncio.run(drain(new_database(server), chosen.items, chosen.workers))
        if chosen.rules:
            asyncio.run(fire(new_database(server), chosen.rules))


def new_database(server) -> str:
    url = server.url(server.create_database())
    asyncio.run(migrate.upgrade(url))
    return url


async def drain(url: str, number: int, workers: int) -> None:
    """Let *workers* processes drain *number* items of one run."""
    async with await Database.open(url, upgrade=False) as database:
        items = Items(database, Owner.this_process())
        added = await Queue(database).add(_RULE, "benchmark", now())
        (listing,) = await items.claim(now())
        began = time.perf_counter()
        for start in range(0, number, _BATCH):
            names = range(start, min(start + _BATCH, number))
            pieces = [Piece((RepositoryName("source.io", f"repository/{n}"),)) for n in names]
            await items.add(listing, pieces, now())
        wrote = time.perf_counter() - began
        print(f"written: {number:,} items with their messages, {number / wrote:,.0f} a second")
        await items.finish(listing, {}, now())
        command = [sys.executable, "-m", "benchmarks.engine", "--work-for", url]
        began = time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        processes = [subprocess.Popen(command) for _ in range(workers)]  # noqa: ASYNC220 - at once
        try:
            await until_finished(database, added.number)
        finally:
            for process in processes:
                process.terminate()
                process.wait()
        took = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"drained: {number:,} items over {workers} workers, {number / took:,.0f} a second; "
        f"{1000 * spent / number:.2f} ms of the workers' CPU each, their starts with them"
    )


async def until_finished(database: Database, number: int) -> None:
    query = select(run.c.finished_at).where(run.c.number == number)
    while True:
        async with database.reading() as connection:
            if await connection.scalar(query) is not None:
                return
        await asyncio.sleep(0.2)


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
            slots=4,
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


async def fire(url: str, number: int) -> None:
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
        scheduler = Scheduler(fires=fires, alarm=ClockAlarm(), engine=LocalEngine(), clock=now)
        running = asyncio.create_task(scheduler.run())
        while len(scheduler.next_fires) < number:  # noqa: ASYNC110 - once in a while will do
            await asyncio.sleep(0.2)
        fires.spent = fires.number = 0
        due = max(scheduler.next_fires.values())
        query = select(func.count()).select_from(rule_fire).where(rule_fire.c.fire_at == due)
        decided = 0
        while decided < number and (now() - due).total_seconds() < 120:
            await asyncio.sleep(0.2)
            async with database.reading() as connection:
                decided = await connection.scalar(query)
        late = (now() - due).total_seconds()
        running.cancel()
    each = 1000 * fires.spent / max(fires.number, 1)
    print(f"fired: {decided:,} rules of one minute within {late:.1f} s of it; {each:.1f} ms each")


class Timed:
    """Fires, and how long they take."""

    def __init__(self, fires: Fires) -> None:
        self._fires = fires
        self.spent, self.number = 0.0, 0

    async def decide(self, name, now):
        began = time.perf_counter()
        verdict = await self._fires.decide(name, now)
        self.spent += time.perf_counter() - began
        self.number += 1
        return verdict

    def __getattr__(self, name):
        return getattr(self._fires, name)


def now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
