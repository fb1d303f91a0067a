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


# What is loaded when a command is at work.
WORKING = {"replicator.config", "replicator.store.database"}
# Sends itself what Ctrl-C sends, when a module is about to be loaded.
INTERRUPTING = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_AT"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""


@pytest.mark.parametrize("command", ["status", "run"])
@pytest.mark.parametrize(
    "module",
    [
        *("replicator.cli.main", "typer", "replicator.cli.commands"),
        *("replicator.cli.{command}", "replicator.cli.running", "replicator.store.actor"),
        *("replicator.config", "replicator.store.database"),
    ],
)
async def test_ctrl_c_at_the_start_of_a_command_is_told_in_one_line(replicate, module, command):
    (replicate.folder / "sitecustomize.py").write_text(INTERRUPTING)
    path = environment(replicate.folder, {})["PYTHONPATH"]
    replicate.variables["PYTHONPATH"] = f"{replicate.folder}:{path}"
    replicate.variables["INTERRUPTED_AT"] = module.format(command=command)

    done = await replicate(command)

    assert done.code == 130
    assert done.complaint.partition(";")[0] == "interrupted"
    assert ("copied" in done.complaint) is (command == "run" and module in WORKING)
