"""What the transport costs, and what the ways that were not taken would cost.

python -m benchmarks.transport [blobs] [requests] [memory] [--rounds N] [--mib N]

Prints the tables of docs/performance.md, "Transport". Each figure is the least of several runs,
because what else the machine does can only add to it. The runs take turns, each in a process of
its own; CPU is user and system time of that process, which is the client alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.transport_engines import ENGINES, Task, ours
from replicator.registry.settings import Tls
from replicator.registry.transport import Http1Transport, make_ssl_context
from replicator.registry.transport.loop import new_event_loop

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
# Engine, event loop, sizes of pieces in KiB.
WAYS = (
    ("threads", "", (64, 512, 1024)),
    ("threads_for_asyncio", "asyncio", (64, 512, 1024)),
    ("buffered_protocol", "asyncio", (64, 512, 1024)),
    ("buffered_protocol", "uvloop", (64, 512, 1024)),
    ("watched_sockets", "asyncio", (64, 512, 1024)),
    ("ours", "asyncio", (256, 512, 1024)),
    ("ours", "uvloop", (256, 512, 1024)),
    ("httpx_transport", "asyncio", (64,)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["blobs", "requests", "memory"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=512, help="size of a blob")
    options = parser.parse_args()
    with servers() as ports:
        for part in options.parts:
            PARTS[part](ports, options)


def blobs(ports: dict[str, Any], options: argparse.Namespace) -> None:
    print("\n| way | loop | piece KiB | plain CPU s/GiB | plain wall | TLS CPU s/GiB | TLS wall |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    jobs = [(*way, piece) for *way, pieces in WAYS for piece in pieces]
    found: dict[Any, list[dict[str, float]]] = {}
    for _ in range(options.rounds):
        for job in jobs:
            for scheme in ("plain", "tls"):
                result = measured("relay", *job, options.mib, scheme, json.dumps(ports))
                found.setdefault((job, scheme), []).append(result)
    for job in jobs:
        engine, loop, piece = job
        figures = [
            f"{least(found[job, scheme], what) * 1024 / options.mib:.2f}"
            for scheme in ("plain", "tls")
            for what in ("cpu", "wall")
        ]
        print(f"| {engine} | {loop} | {piece} | " + " | ".join(figures) + " |")


def requests(ports: dict[str, Any], options: argparse.Namespace) -> None:
    print("\n| client | loop | at once | CPU µs/request | wall µs/request |")
    print("| --- | --- | ---: | ---: | ---: |")
    for client in ("ours", "httpx_transport", "httpx_client"):
        for loop in ("asyncio", "uvloop"):
            for at_once in (1, 32):
                results = [
                    measured("heads", client, loop, at_once, ports["plain"])
                    for _ in range(options.rounds)
                ]
                cpu, wall = least(results, "cpu"), least(results, "wall")
                print(f"| {client} | {loop} | {at_once} | {cpu * 1e6:.0f} | {wall * 1e6:.0f} |")


def memory(ports: dict[str, Any], options: argparse.Namespace) -> None:
    print("\n| transfers at once | MiB each | plain RSS MiB | TLS RSS MiB |")
    print("| ---: | ---: | ---: | ---: |")
    for count, mib in ((1, 64), (1, 2048), (8, 256), (50, 64)):
        sizes = [
            measured("crowd", count, mib, scheme, json.dumps(ports))["rss"] / MIB
            for scheme in ("plain", "tls")
        ]
        print(f"| {count} | {mib} | {sizes[0]:.0f} | {sizes[1]:.0f} |")


PARTS: dict[str, Callable[[dict[str, Any], argparse.Namespace], None]] = {
    "blobs": blobs,
    "requests": requests,
    "memory": memory,
}


def measured(*arguments: object) -> dict[str, float]:
    """Run one measurement in a new process."""
    command = [sys.executable, "-m", "benchmarks.transport", "--", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def least(results: list[dict[str, float]], what: str) -> float:
    return min(result[what] for result in results)


@contextmanager
def servers() -> Iterator[dict[str, Any]]:
    """Run a source and a sink, with and without TLS."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate, key = folder / "server.crt", folder / "server.key"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        names = "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost"
        files = ["-keyout", key, "-out", certificate]
        subprocess.run(
            [*command.split(), *names.split(), *files], check=True, stderr=subprocess.DEVNULL
        )
        yield {
            "plain": [stack.enter_context(server()) for _ in range(2)],
            "tls": [stack.enter_context(server(certificate, key)) for _ in range(2)],
            "certificate": str(certificate),
        }


@contextmanager
def server(*files: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.transport_server", *files]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


# In the process that is measured.


def measure(what: str, *arguments: str) -> dict[str, float]:
    return {"relay": relay, "heads": heads, "crowd": crowd}[what](*arguments)


def relay(
    engine: str, loop: str, piece: str, mib: str, scheme: str, ports: str
) -> dict[str, float]:
    task = task_of(int(mib), int(piece), scheme, json.loads(ports))
    with cost() as result:
        if loop:
            run(loop, ENGINES[engine](task))
        else:
            ENGINES[engine](task)
    return result


def crowd(count: str, mib: str, scheme: str, ports: str) -> dict[str, float]:
    task = task_of(int(mib), 512, scheme, json.loads(ports))

    async def all_at_once() -> None:
        await asyncio.gather(*(ours(task) for _ in range(int(count))))

    with cost() as result:
        run("uvloop", all_at_once())
    return result


def task_of(mib: int, piece: int, scheme: str, ports: dict[str, Any]) -> Task:
    context = None
    if scheme == "tls":
        context = make_ssl_context(Tls(ca_file=Path(ports["certificate"])))
    return Task(*ports[scheme], size=mib * MIB, piece=piece * KIB, context=context)


def heads(client: str, loop: str, at_once: str, ports: str) -> dict[str, float]:
    count = 10_000 if client == "ours" else 2_000
    url = httpx.URL(f"http://127.0.0.1:{json.loads(ports)[0]}/v2/library/alpine/manifests/3.18")
    headers = {
        "Accept": "application/vnd.oci.image.index.v1+json",
        "Authorization": "Bearer " + "x" * 200,
    }

    async def ask() -> None:
        async with CLIENTS[client]() as sender:
            if isinstance(sender, httpx.AsyncClient):
                send = sender.send
            else:
                send = sender.handle_async_request

            async def some() -> None:
                for _ in range(count // int(at_once)):
                    response = await send(httpx.Request("HEAD", url, headers=headers))
                    await response.aclose()

            await asyncio.gather(*(some() for _ in range(int(at_once))))

    with cost() as result:
        run(loop, ask())
    return {what: amount / count for what, amount in result.items()}


CLIENTS: dict[str, Callable[[], Any]] = {
    "ours": Http1Transport,
    "httpx_transport": httpx.AsyncHTTPTransport,
    "httpx_client": httpx.AsyncClient,
}


def run(loop: str, coroutine: Any) -> None:
    factory = new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(coroutine)


@contextmanager
def cost() -> Iterator[dict[str, float]]:
    result: dict[str, float] = {}
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    yield result
    after = resource.getrusage(resource.RUSAGE_SELF)
    result["wall"] = time.perf_counter() - start
    result["cpu"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    result["rss"] = after.ru_maxrss * 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--"]:
        print(json.dumps(measure(*sys.argv[2:])))
    else:
        main()
