"""Whether the memory of a service that runs for long stays as it is.

    python -m benchmarks.endurance [--minutes 60] [--rules 1000] [--every 5m]

`replicate serve` runs a thousand rules every five minutes, between two registries on this machine,
while somebody looks at its page and asks its API, and tags move at the source. Printed each minute:
how much memory is resident, how much of it is not of files, and what was done in the meantime. In
the end, how fast memory grew in the second half, when all that is kept for later is there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx

from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.thread import in_thread
from tests.support.command import CommandLine
from tests.support.embedded import store_image

# Seconds between two visitors, each of whom looks at all of _PATHS.
_VISIT_EVERY = 10
# Images that move at the source each minute.
_MOVING = 20
# Seconds for which a visitor watches a run.
_WATCH = 2
_PATHS = (
    "/",
    "/?standing=failing",
    "/?text=99",
    "/rules/app-0007",
    "/activity",
    "/api/v1/status?limit=200",
    "/api/v1/rules?limit=200",
    "/api/v1/runs?limit=200",
    "/metrics",
    "/readyz",
)


@dataclass(frozen=True)
class _Sample:
    """Of the process: memory in KiB, processor time in seconds."""

    resident: int
    private: int
    cpu: float

    @classmethod
    def of(cls, pid):
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        spent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
        return cls(
            int(fields["VmRSS"].split()[0]),
            int(fields["RssAnon"].split()[0]),
            sum(map(int, spent)) / os.sysconf("SC_CLK_TCK"),
        )


def main():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--minutes", type=int, default=60)
    words.add_argument("--rules", type=int, default=1000)
    words.add_argument("--every", default="5m")
    asked = words.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        in_thread(EmbeddedRegistry()) as source,
        in_thread(EmbeddedRegistry()) as destination,
    ):
        _store(source, range(asked.rules), 0)
        command = CommandLine(Path(folder))
        command.write_config(_config(source.host, destination.host, asked))
        asyncio.run(_measure(command, asked, source, destination))


def _store(registry, numbers, minute):
    for number in numbers:
        seed = f"{number}-{minute}"
        store_image(registry.storage, f"team/app-{number:04}", "1.0", seed=seed)


def _config(source, destination, asked):
    rules = [
        f"""
[[rules]]
name = "app-{number:04}"
source = "{source}/team/app-{number:04}"
destinations = ["{destination}/mirror/app-{number:04}"]
schedule = "every {asked.every}"
jitter = "{asked.every}"
objective = "1h"
"""
        for number in range(asked.rules)
    ]
    return "".join(rules)


async def _measure(command, asked, *registries):
    with (command.folder / "log").open("wb") as log:
        options = ("--config", "config.toml", "serve", "--listen", "127.0.0.1:0")
        process = await command.start(*options, stdout=log.fileno(), stderr=log.fileno())
        try:
            url = await _address(process, command.folder / "log")
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                await _watch(process.pid, client, asked, registries)
        finally:
            process.terminate()
            await process.wait()
        print(f"ended with {process.returncode}")


async def _address(process, log):
    while process.returncode is None:
        for line in log.read_text().splitlines():
            if line.startswith("{") and json.loads(line)["event"] == "serving":
                return f"http://{json.loads(line)['on']}"
        await asyncio.sleep(0.2)
    raise SystemExit(log.read_text())


async def _watch(pid, client, asked, registries):
    print("| minute | RSS MiB | of it private | CPU s | runs | tags copied | answers | slowest s |")
    print("|---|---|---|---|---|---|---|---|")
    before, samples, source = _Sample.of(pid), [], registries[0]
    for minute in range(1, asked.minutes + 1):
        numbers = [(minute * _MOVING + each) % asked.rules for each in range(_MOVING)]
        await asyncio.to_thread(_store, source, numbers, minute)
        answers, slowest = await _visit_for(60, client)
        done = await _done(client)
        now = _Sample.of(pid)
        samples.append(now)
        print(
            f"| {minute} | {now.resident / 1024:.1f} | {now.private / 1024:.1f} "
            f"| {now.cpu - before.cpu:.1f} | {done['runs']:.0f} | {done['copied']:.0f} "
            f"| {sum(answers.values())} | {slowest:.2f} |",
            flush=True,
        )
        if set(answers) - {200}:
            print(f"answers: {dict(answers)}", flush=True)
        before = now
        for each in registries:
            # What it was asked would be all that grows in this process.
            each.requests.clear()
    print(_verdict(samples))


async def _visit_for(seconds, client):
    answers, slowest, until = Counter(), 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        run = await _newest_run(client)
        for path in (*_PATHS, f"/runs/{run}") if run else _PATHS:
            asked_at = time.monotonic()
            answers[(await client.get(path)).status_code] += 1
            slowest = max(slowest, time.monotonic() - asked_at)
        if run:
            await _watch_run(client, run)
        await asyncio.sleep(max(0.0, _VISIT_EVERY - (time.monotonic() - began)))
    return answers, slowest


async def _newest_run(client):
    """Return a run; None before the first."""
    found = (await client.get("/api/v1/runs?limit=1")).json()["items"]
    return found[0]["id"] if found else None


async def _watch_run(client, run):
    """Follow a run as a browser does, and go away in the middle of it."""
    path = f"/api/v1/runs/{run}/events"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_WATCH), client.stream("GET", path) as answer:
            async for _ in answer.aiter_lines():
                pass


async def _done(client):
    text = (await client.get("/metrics")).text
    runs = re.findall(r"^replicator_runs_total\{.*\} (\S+)$", text, re.MULTILINE)
    copied = re.findall(r'^replicator_tags_total\{outcome="copied"\} (\S+)$', text, re.MULTILINE)
    return {"runs": sum(map(float, runs)), "copied": sum(map(float, copied))}


def _verdict(samples):
    half = samples[len(samples) // 2 :]
    if len(half) < 2:
        return "too short to say whether it grows"
    minutes = range(len(half))
    slope = statistics.linear_regression(minutes, [each.private / 1024 for each in half]).slope
    return f"in the second half private memory changed by {slope * 60:+.1f} MiB an hour"


if __name__ == "__main__":
    main()
