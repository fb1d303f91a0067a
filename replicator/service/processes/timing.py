"""Timing: how often a process looks, and how long its silence may last."""

from __future__ import annotations

from datetime import timedelta

from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds.

    *lease* is how long something stays its owner's without a sign of life, which is given every
    *renew*; *safe* is less, by what a tag takes to be written: after it no tag is moved. *look*
    is between two looks for what others changed, *reap* between two for what was lost, *grace*
    how long a message may take.
    """

    lease: float = 26.0
    safe: float = 12.0
    renew: float = 4.0
    look: float = 2.0
    reap: float = 3.0
    grace: float = 30.0

    @property
    def lease_time(self) -> timedelta:
        return timedelta(seconds=self.lease)

    @property
    def grace_time(self) -> timedelta:
        return timedelta(seconds=self.grace)
