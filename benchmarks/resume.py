"""What is sent again of a large blob whose run was killed.

    python -m benchmarks.resume [--mib 1024]

Kills a run (SIGKILL) when half of an image with one layer of 1 GiB is with the destination, starts
it again, and prints what was sent to the destination, and read at the source, beyond the size of
the layer. Both are counted by relays in front of the registries.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.support.builders import push_large_image
from tests.support.command import CommandLine
from tests.support.embedded import EmbeddedRegistry
from tests.support.plain_repository import PlainRepository
from tests.support.relay import Relay
from tests.support.servers import Server, crane, distribution

_MIB = 1 << 20
# Seconds between two looks at how far the copy is.
_LOOK = 0.005


@dataclass(frozen=True)
class _Cost:
    sent_again: int
    read_again: int
    seconds: float


def main():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--mib", type=int, default=1024)
    asyncio.run(_measure(words.parse_args().mib * _MIB))


async def _measure(size):
    print(f"A layer of {size // _MIB} MiB, killed half-way:\n")
    print("| destination | sent again MiB | read again MiB | second run s |\n|---|---|---|---|")
    async with AsyncExitStack() as stack:
        source = stack.enter_context(distribution(2))
        with PlainRepository(source.address, "large/app") as repository:
            await asyncio.to_thread(push_large_image, repository, "1", size=size)
        embedded = await stack.enter_async_context(EmbeddedRegistry())
        servers = (distribution(3), distribution(2), crane())
        hosts = {each.kind: each.host for each in map(stack.enter_context, servers)}
        for kind, host in {**hosts, "embedded": embedded.host}.items():
            cost = await _killed_and_started_again(source, host, size)
            print(
                f"| {kind} | {cost.sent_again / _MIB:.1f} | {cost.read_again / _MIB:.1f} "
                f"| {cost.seconds:.1f} |",
                flush=True,
            )


async def _killed_and_started_again(source: Server, destination: str, size: int) -> _Cost:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        reads = await stack.enter_async_context(Relay(source.host).serving())
        writes = await stack.enter_async_context(Relay(destination).serving())
        replicate = CommandLine(folder)
        replicate.write_config(
            f'[[rules]]\nname = "app"\nsource = "{reads.host}/large/app"\n'
            f'destinations = ["{writes.host}/copy/app-{os.getpid()}"]\n'
        )
        async with replicate.started("run") as process:
            while writes.sent < size // 2:  # noqa: ASYNC110 - it is a counter that is looked at
                await asyncio.sleep(_LOOK)
            process.kill()
            await process.communicate()
        start = time.monotonic()
        done = await replicate("run")
        assert done.code == 0, done.err
        return _Cost(writes.sent - size, reads.received - size, time.monotonic() - start)


if __name__ == "__main__":
    main()
