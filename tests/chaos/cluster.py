"""Cluster: schedulers and workers as processes on one PostgreSQL; each that ends is replaced."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.command import environment
from tests.support.processes import ServerProcess

ROLES = ("scheduler", "scheduler", "worker", "worker", "worker")
# Short, so that what is lost is found soon; `lease` is longer than a busy machine holds one up.
TIMING = {"lease": 8.0, "safe": 5.0, "renew": 1.5, "reap": 1.0, "look": 1.0, "grace": 3.0}
# So many tags of a repository are one item.
LARGEST = 5
_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
_PAUSE = 0.05  # seconds between two looks


@dataclass(slots=True)
class Member:
    """A process of the cluster; *clock* is what says how wrong its clock is."""

    role: str
    process: ServerProcess
    clock: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def entries(self, event: str) -> list[dict[str, Any]]:
        """Return what it logged of an event so far."""
        lines = (line for line in list(self.process.lines) if f'"event": "{event}"' in line)
        return [json.loads(line) for line in lines if line.startswith("{")]


@dataclass(slots=True)
class Cluster:
    """*arms* is what tests.support.armed takes besides the traps that all of them share.

    *wrap* stands before the command of each process, which ends with the signal *ending*. With
    *own_clocks* the clock on the wall of each can be set.
    """

    folder: Path
    database: str
    roles: Sequence[str] = ROLES
    arms: Mapping[str, Any] = field(default_factory=dict)
    wrap: Sequence[object] = ()
    ending: signal.Signals = signal.SIGTERM
    own_clocks: bool = False
    members: list[Member] = field(default_factory=list)
    gone: list[Member] = field(default_factory=list)

    @property
    def traps(self) -> Path:
        return self.folder / "traps"

    def workers(self) -> list[Member]:
        return [member for member in self.members if member.role == "worker"]

    def arm(self, place: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Let the first process that passes *place* get a signal there."""
        new = self.traps / f"{place}.new"
        new.write_text(str(int(how)))
        new.rename(self.traps / place)

    def caught(self, place: str) -> list[int]:
        """Return the processes that got their signal at *place*."""
        files = self.traps.glob(f"{place}.*")
        return [int(file.suffix[1:]) for file in files if file.suffix[1:].isdigit()]

    def start(self, role: str) -> Member:
        """Start one more process."""
        armed = {
            "timing": TIMING,
            "largest": LARGEST,
            "traps": str(self.traps),
            **self.arms,
        }
        variables = {"REPLICATOR_DATABASE": self.database}
        settings = [f"{n}={v}" for n, v in environment(self.folder, variables).items()]
        config = self.folder / "config.toml"
        program = [sys.executable, "-m", "tests.support.armed", json.dumps(armed), config, role]
        clock = self.folder / f"clock-{len(self.members) + len(self.gone)}"
        if self.own_clocks:
            settings += _own_clock(clock)
        command = ["env", "-i", "-C", self.folder, *settings, *map(str, self.wrap), *program]
        member = Member(role, ServerProcess(command), clock)
        self.members.append(member)
        return member

    def set_clock(self, member: Member, seconds: int) -> None:
        """Let the clock of a process be ahead by so many seconds; it sees that within one."""
        new = member.clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.rename(member.clock)

    def replace_ended(self) -> None:
        """Start a process for each that ended, as what looks after services does."""
        for member in list(self.members):
            if member.process.ended and member in self.members:
                member.process.stop()
                self.members.remove(member)
                self.gone.append(member)
                self.start(member.role)

    def signal(self, member: Member, how: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(member.pid, how)

    def end(self) -> None:
        """Ask all to end, and wait until they have."""
        left = [member for member in self.members if not member.process.ended]
        for member in left:
            self.signal(member, self.ending)
            self.signal(member, signal.SIGCONT)
        for member in left:
            member.process.stop()


def _own_clock(file: Path) -> list[str]:
    """Return the variables with which a process reads from a file how wrong its clock is."""
    file.write_text("+0")
    variables = {
        "LD_PRELOAD": _FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": file,
        "FAKETIME_CACHE_DURATION": 1,
        "FAKETIME_DONT_FAKE_MONOTONIC": 1,
    }
    return [f"{name}={value}" for name, value in variables.items()]


@contextmanager
def running(cluster: Cluster) -> Iterator[Cluster]:
    """Run a cluster; what ends meanwhile is replaced."""
    cluster.traps.mkdir(exist_ok=True)
    for role in cluster.roles:
        cluster.start(role)
    stopping = threading.Event()

    def look_after() -> None:
        while not stopping.wait(_PAUSE):
            cluster.replace_ended()

    keeper = threading.Thread(target=look_after)
    keeper.start()
    try:
        wait_until(lambda: all(each.entries("serving") for each in cluster.members), "all serve")
        yield cluster
    finally:
        stopping.set()
        keeper.join()
        cluster.end()


def wait_until(
    holds: Callable[[], bool],
    what: str,
    *,
    seconds: float = 180.0,
    again: Callable[[], object] | None = None,
    every: float = 15.0,
) -> None:
    """Wait until something holds, and do something *again* now and then meanwhile.

    Raises AssertionError after so many seconds, which are far more than a busy machine needs.
    """
    deadline = time.monotonic() + seconds
    next_time = time.monotonic() + every
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} seconds in vain: {what}")
        if again is not None and time.monotonic() > next_time:
            again()
            next_time = time.monotonic() + every
        time.sleep(_PAUSE)
