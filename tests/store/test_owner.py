"""Whether the process that a run belongs to is still there: seen with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from replicator.errors import RunActive
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.records import RunState
from replicator.store.runs import Runs
from tests.store.values import NOON, a_rule

_START_A_RUN = """
import asyncio, sys
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.runs import Runs
from tests.store.values import NOON, a_rule

async def main():
    async with await Database.open(sys.argv[1], upgrade=True) as database:
        run = await Runs(database, Owner.this_process()).start(a_rule(), "cli", NOON)
        print(run.id, flush=True)
        sys.stdin.read()

asyncio.run(main())
"""
_SAY_WHO = """
import sys
from replicator.store.owner import Owner
print(Owner.this_process(), flush=True)
sys.stdin.read()
"""


@contextmanager
def process(code: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run *code* in a process of its own, which ends with its input; gives its first line."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as running:
        assert running.stdout is not None
        yield running, running.stdout.readline().strip()


def test_a_process_that_runs_is_alive_and_one_that_ended_is_not() -> None:
    with process(_SAY_WHO) as (running, text):
        owner = Owner.parse(text)
        assert owner.is_alive() is True
        running.kill()
        running.wait()

    assert owner.is_alive() is False


def test_a_killed_process_is_not_alive_also_before_its_parent_took_note() -> None:
    with process(_SAY_WHO) as (running, text):
        running.kill()
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)

        assert Owner.parse(text).is_alive() is False


def test_another_process_under_the_same_number_is_told_apart() -> None:
    mine = Owner.this_process()

    assert mine.is_alive() is True
    assert replace(mine, started=str(int(mine.started) - 1)).is_alive() is False


def test_of_a_process_on_another_machine_nothing_is_known() -> None:
    assert replace(Owner.this_process(), place="another").is_alive() is None


def test_an_owner_is_read_as_it_was_written() -> None:
    mine = Owner.this_process()

    assert Owner.parse(str(mine)) == mine


async def test_the_run_of_a_stopped_process_stays_its_own_and_of_a_killed_one_is_ended(
    database_url: str,
) -> None:
    async with await Database.open(database_url, upgrade=True) as database:
        runs = Runs(database, Owner.this_process())
        with process(_START_A_RUN, database_url) as (running, run_id):
            running.send_signal(signal.SIGSTOP)
            with pytest.raises(RunActive, match=f"{run_id}, in process {running.pid} on"):
                await runs.start(a_rule(), "cli", NOON)

            running.kill()
            running.wait()
            await runs.start(a_rule(), "cli", NOON)

        interrupted, _ = await runs.show(run_id)
        assert interrupted.state is RunState.FAILED
        assert interrupted.error.startswith(f"interrupted: process {running.pid} on ")
