"""ErrorBudget: how long a rule may be behind its objective, and how long it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from replicator.values import dataclass

# One hundredth of the last thirty days: seven hours and twelve minutes.
WINDOW: Final = timedelta(days=30)
ALLOWED: Final = WINDOW / 100


@dataclass(frozen=True, slots=True)
class GoodRun:
    """When a good run began and ended: from its end on, the destination has what there was then."""

    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """How long the lag was above the objective in the last thirty days, as far as runs are known:
    from *since* on."""

    behind: timedelta
    since: datetime

    @property
    def left(self) -> float:
        """Return the part that is left of what is allowed, from 1 down to 0."""
        return max(0.0, 1 - self.behind / ALLOWED)


def error_budget(
    runs: Sequence[GoodRun], objective: timedelta, now: datetime
) -> ErrorBudget | None:
    """Add up how long a rule was behind; *runs* are its good ones, oldest first.

    The lag at a moment is how long before it the newest run began that was good and had ended, so
    between two runs it grows. None without any run: nobody knows what the destination had.
    """
    if not runs:
        return None
    begin, behind = now - WINDOW, timedelta(0)
    ends = [*(each.finished_at for each in runs[1:]), now]
    for each, end in zip(runs, ends, strict=True):
        late_from = max(each.finished_at, each.started_at + objective, begin)
        behind += max(timedelta(0), end - late_from)
    return ErrorBudget(behind, max(begin, runs[0].finished_at))
