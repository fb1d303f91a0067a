"""How work is interrupted, also work that does not want to end."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

import pytest

from replicator.cli.running import run_async
from tests.support.command import environment

STUBBORN = """
import asyncio
from replicator.cli.running import run_async

async def work():
    print("working", flush=True)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("never", flush=True)

run_async(work())
"""


@pytest.fixture
async def stubborn(tmp_path):
    """A process whose work does not let itself be cancelled."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STUBBORN),
        stdout=asyncio.subprocess.PIPE,
        env=environment(tmp_path, {}),
    )
    assert await process.stdout.readline() == b"working\n"
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_stuck_work_is_left_within_two_seconds(stubborn, number, code):
    began = time.monotonic()
    stubborn.send_signal(number)

    assert await stubborn.wait() == code
    assert time.monotonic() - began < 2


async def test_a_second_signal_is_not_waited_for(stubborn):
    stubborn.send_signal(signal.SIGINT)
    assert await stubborn.stdout.readline() == b"never\n"
    began = time.monotonic()

    stubborn.send_signal(signal.SIGINT)

    assert await stubborn.wait() == 130
    assert time.monotonic() - began < 1


def test_work_that_ends_by_itself_gives_its_result():
    async def work():
        return 42

    assert run_async(work()) == 42


def test_what_work_raises_passes():
    async def work():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_async(work())
