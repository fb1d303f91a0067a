"""Owner: which process a run belongs to, and whether that process is still there."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Self

from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from every other one, also from later ones with its number.

    *place* is where its number means something: one start of one machine and, on Linux, one
    process namespace, as containers have. *started* is in the machine's own ticks, empty where
    it cannot be learnt.
    """

    host: str
    place: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> Self:
        return cls(socket.gethostname(), _place(), os.getpid(), _start_of(os.getpid()) or "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` wrote."""
        host, place, pid, started = text.split("/")
        return cls(host, place, int(pid), started)

    def is_alive(self) -> bool | None:
        """Say whether the process runs; None when that cannot be known from here."""
        if self.place != _place():
            return None
        if not self.started:
            return None if _exists(self.pid) else False
        return _start_of(self.pid) == self.started

    def __str__(self) -> str:
        return f"{self.host}/{self.place}/{self.pid}/{self.started}"


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return socket.gethostname()
    return f"{boot}:{namespace}"


def _start_of(pid: int) -> str | None:
    """Return when a process started; None if there is none, or only its remains."""
    try:
        # The name, in brackets, may contain anything. (proc_pid_stat(5), fields 3 and 22)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
