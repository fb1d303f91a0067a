"""Deadline: a time limit that is set and lifted for each wait, at next to no cost."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """Calls *on_missed* when the time is up.

    There is at most one timer in the event loop. It is left alone when the deadline is lifted or
    moved away, and set anew when it rings too early: that is much cheaper than a timer for each
    wait of each request.
    """

    def __init__(self, on_missed: Callable[[], None]) -> None:
        self._on_missed = on_missed
        self._loop = asyncio.get_running_loop()
        self._time = math.inf
        self._rings_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float | None) -> None:
        """Set the deadline to so many seconds from now; None sets none."""
        self._time = math.inf if seconds is None else self._loop.time() + seconds
        self._keep_timer()

    def lift(self) -> None:
        self._time = math.inf

    def cancel(self) -> None:
        """Lift the deadline for ever."""
        self._time = math.inf
        if self._timer is not None:
            self._timer.cancel()

    def _keep_timer(self) -> None:
        if self._time < self._rings_at:
            if self._timer is not None:
                self._timer.cancel()
            self._rings_at = self._time
            self._timer = self._loop.call_at(self._time, self._ring)

    def _ring(self) -> None:
        self._rings_at, self._timer = math.inf, None
        if self._loop.time() < self._time:
            self._keep_timer()
        else:
            self._time = math.inf
            self._on_missed()
