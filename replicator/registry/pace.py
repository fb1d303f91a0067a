"""Pace: bodies that move, but so slowly that they would hold their place for days."""

from __future__ import annotations

from typing import Final

# In bytes a second. Slower than this for as long as the idle limit is as good as silent.
SLOWEST: Final = 1024


class Pace:
    """Watches one direction of a body; *window* is in seconds.

    Only the time spent waiting for the other side counts: whoever is held up by somebody else is
    not slow.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._size = 0
        self._seconds = 0.0

    def is_kept(self, size: int, seconds: float) -> bool:
        """Note that *size* bytes took *seconds*; false if it has been too slow for too long."""
        self._size += size
        self._seconds += seconds
        if self._seconds < self._window:
            return True
        kept = self._size >= SLOWEST * self._seconds
        self._size, self._seconds = 0, 0.0
        return kept
