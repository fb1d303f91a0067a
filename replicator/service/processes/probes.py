"""Probes: what tests of a service set, in a process of their own; nothing else does."""

from __future__ import annotations

from dataclasses import field

from replicator.service.processes.portion import LARGEST
from replicator.service.processes.steps import PassStep
from replicator.service.processes.steps import pass_by as pass_step
from replicator.service.processes.timing import Timing
from replicator.transfer.fail_points import FailPoint, PassPoint
from replicator.transfer.fail_points import pass_by as pass_point
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Probes:
    """Shorter times, smaller items, and what happens at the named steps of a run and of a copy."""

    timing: Timing = field(default_factory=Timing)
    largest: int = LARGEST
    pass_step: PassStep = pass_step
    pass_point: PassPoint = pass_point


def both(first: PassPoint, second: PassPoint) -> PassPoint:
    """Pass two things at each point; what production never does costs it nothing."""
    if first is pass_point:
        return second

    def passed(point: FailPoint, /) -> None:
        first(point)
        second(point)

    return passed
