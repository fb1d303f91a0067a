"""Lease: until when this process may write for its runs, by a clock that nobody sets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from replicator.errors import LeaseLost
from replicator.transfer.fail_points import FailPoint

# Seconds; less than others wait for a sign of life, by what a tag takes to be written and by what
# clocks may differ.
LASTS: Final = 12.0


class Lease:
    """Good for so many seconds since the last sign of life that the database took.

    A process that was paused, or cut off from the database, may find that others have taken its
    runs for lost, and go on with them. It must not move a tag then.
    """

    def __init__(
        self, seconds: float = LASTS, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._until = monotonic() + seconds

    def now(self) -> float:
        """Return the time at which a sign of life is about to be given."""
        return self._monotonic()

    def extend(self, given_at: float) -> None:
        """Count from a sign of life, now that the database has it."""
        self._until = given_at + self._seconds

    def check(self, point: FailPoint, /) -> None:
        """Let a copy pass; refuse it just before its tag when time is over. Raises LeaseLost."""
        if point is FailPoint.BEFORE_TAG_PUT:
            self.require()

    def require(self) -> None:
        """Make sure that nobody can have taken this process for dead. Raises LeaseLost."""
        if self._monotonic() > self._until:
            raise LeaseLost("no sign of life was given for too long; the tag was left as it is")


def not_needed() -> None:
    """Stand in for ``Lease.require`` where it can be seen that a process is there."""
