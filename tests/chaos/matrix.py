"""The crash matrix: every named place, who passes it, and what has to be done for that."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from replicator.service.processes.steps import Step
from replicator.transfer.fail_points import FailPoint
from tests.chaos.checker import Findings
from tests.chaos.cluster import wait_until
from tests.chaos.stage import Stage
from tests.support.processes import ServerProcess

PLACES: Final = (*Step, *FailPoint)

# Places that no cell is about, each with the reason.
LEFT_OUT: Final[Mapping[str, str]] = {}

# Those that only a worker passes which is asked to end while it copies.
_WHEN_STOPPED: Final = (Step.BEFORE_RELEASE, Step.AFTER_RELEASE)


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of killing at one place, several times; *recovery* is in seconds."""

    place: str
    killed: list[str]
    recovery: float
    findings: Findings

    def __str__(self) -> str:
        found = self.findings
        return (
            f"{self.place:<22} {'+'.join(self.killed):<18} {self.recovery:>6.1f} s  "
            f"due {found.due:>4}  lost {len(found.missed) + len(found.lost)}  "
            f"doubled {len(found.extra) + len(found.overlapping)}"
        )


def kill_at(stage: Stage, source: ServerProcess, place: str, *, times: int = 2) -> Cell:
    """Kill whoever passes *place* first, then whoever does next; then let all come right.

    A third process that the same item ended would be one too many; see the poisonous rule.
    """
    killed = [_kill_one(stage, source, place) for _ in range(times)]
    began = time.monotonic()
    stage.content.push_round()
    findings = stage.come_right(f"after {place}")
    return Cell(place, killed, time.monotonic() - began, findings)


def _kill_one(stage: Stage, source: ServerProcess, place: str) -> str:
    """Kill the first that passes; return what it was."""
    cluster, before = stage.cluster, set(stage.cluster.caught(place))

    def is_caught() -> bool:
        return len(cluster.caught(place)) > len(before)

    stage.content.push_round()
    cluster.arm(place)
    if place in _WHEN_STOPPED:
        _stop_workers_in_the_middle(stage, source, is_caught)
    wait_until(is_caught, f"somebody passes {place}", again=stage.content.push_round)
    (pid,) = set(cluster.caught(place)) - before
    wait_until(lambda: any(gone.pid == pid for gone in cluster.gone), f"{pid} is found dead")
    return next(gone.role for gone in cluster.gone if gone.pid == pid)


def _stop_workers_in_the_middle(
    stage: Stage, source: ServerProcess, is_enough: Callable[[], bool]
) -> None:
    """Ask all workers to end while they read from a source that says nothing."""

    def ask_to_end() -> None:
        # One that is asked while it starts ends without having had anything to give back.
        wait_until(lambda: _all_serve(stage) and stage.is_at_work(), "somebody has an item")
        for worker in stage.cluster.workers():
            stage.cluster.signal(worker, signal.SIGTERM)

    os.kill(source.pid, signal.SIGSTOP)
    try:
        ask_to_end()
        wait_until(is_enough, "a worker gives its item back", again=ask_to_end)
    finally:
        os.kill(source.pid, signal.SIGCONT)


def _all_serve(stage: Stage) -> bool:
    return all(worker.entries("serving") for worker in stage.cluster.workers())
