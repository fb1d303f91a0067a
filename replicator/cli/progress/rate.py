"""Rate: how fast bytes have moved in the last few seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

# In seconds. Long enough not to flicker, short enough to show that a link got slower.
_WINDOW: Final = 8.0
_STEP: Final = 0.25


class Rate:
    """Counts what moves; *clock* is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._steps: deque[tuple[float, int]] = deque()

    def add(self, size: int) -> None:
        """Count *size* bytes that have just moved; negative for those that were lost."""
        now = self._clock()
        if self._steps and now - self._steps[-1][0] < _STEP:
            since, before = self._steps[-1]
            self._steps[-1] = (since, before + size)
        else:
            self._steps.append((now, size))
            self._drop_old(now)

    def per_second(self) -> float:
        """Return the bytes a second of late; 0 while nothing has moved."""
        now = self._clock()
        self._drop_old(now)
        moved = sum(size for _, size in self._steps)
        seconds = min(_WINDOW, now - self._began)
        return max(0.0, moved / seconds) if seconds > 0 else 0.0

    def _drop_old(self, now: float) -> None:
        while self._steps and now - self._steps[0][0] > _WINDOW:
            self._steps.popleft()
