"""``replicate serve`` in a process of its own, with short times and armed fail-points.

    python -m tests.support.armed '{"timing": {…}, "kill": "after_claim"}' CONFIG ROLE…

What is armed is an argument and nothing of the environment, so that no production process can be.
*kill* is the step or point at which the process ends as by SIGKILL, *stop* one at which it stops
as by SIGSTOP, until somebody lets it go on; *times* passes of it do nothing. *traps* is a folder
that several processes may share: a file with the name of a place holds the number of the signal
for whoever passes there first. *poison* is a rule whose manifests kill whoever reads one,
*largest* how many tags of a repository are one item.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from structlog.contextvars import get_contextvars

from replicator.cli.serving import serve_until_told
from replicator.cli.session import Session
from replicator.config import load_config
from replicator.config.values import listen
from replicator.service.processes.portion import LARGEST
from replicator.service.processes.probes import Probes
from replicator.service.processes.timing import Timing
from replicator.service.scheduling.serving import Role
from replicator.transfer.fail_points import FailPoint


def main() -> None:
    armed = json.loads(sys.argv[1])
    config = load_config(Path(sys.argv[2]), os.environ)
    pass_by = _passing(armed)
    timing, largest = Timing(**armed.get("timing", {})), armed.get("largest", LARGEST)
    probes = Probes(timing, largest, pass_by, pass_by)
    roles = frozenset(map(Role, sys.argv[3:]))
    session = Session(config_file=Path(sys.argv[2]))
    serve_until_told(session, config, listen("127.0.0.1:0", "listen"), roles, probes=probes)


def _passing(armed: Mapping[str, Any]) -> Callable[[str], None]:
    """Return what happens at every place."""
    acts: list[Callable[[str], None]] = [_Trap(armed).pass_by]
    if "traps" in armed:
        acts.append(_SharedTraps(Path(armed["traps"])).pass_by)
    if "poison" in armed:
        acts.append(_Poison(armed["poison"]).pass_by)

    def pass_by(place: str, /) -> None:
        for act in acts:
            act(place)

    return pass_by


class _Trap:
    """Ends or stops the process at a place."""

    def __init__(self, armed: Mapping[str, Any]) -> None:
        self._signals = {
            armed.get("kill"): signal.SIGKILL,
            armed.get("stop"): signal.SIGSTOP,
        }
        self._passes = int(armed.get("times", 0))

    def pass_by(self, place: str, /) -> None:
        if place not in self._signals:
            return
        if self._passes:
            self._passes -= 1
            return
        os.kill(os.getpid(), self._signals.pop(place))


class _SharedTraps:
    """Ends or stops the one process that is the first to take away the file of a place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pass_by(self, place: str, /) -> None:
        mine = self._folder / f"{place}.{os.getpid()}"
        try:
            (self._folder / place).rename(mine)
        except FileNotFoundError:
            return
        os.kill(os.getpid(), int(mine.read_text()))


class _Poison:
    """Ends the process that reads a manifest for a rule."""

    def __init__(self, rule: str) -> None:
        self._rule = rule

    def pass_by(self, place: str, /) -> None:
        if place == FailPoint.AFTER_MANIFEST_GET and get_contextvars().get("rule") == self._rule:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
