"""How a process that runs for long keeps its memory small."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

# glibc, malloc.h.
_M_ARENA_MAX: Final = -8
# One for the event loop, and one for all other threads: few of them allocate at the same time.
_ARENAS: Final = 2

_COLLECTIONS: Final = (5_000, 10, 10)


def limit_arenas() -> None:
    """Let all threads allocate from two areas, as ``MALLOC_ARENA_MAX=2`` would.

    glibc gives each thread an area of its own, up to eight for each core, and keeps in each what
    was needed there at most: with a thread for each connection to the database, memory grows for
    hours. It counts for areas that are not there yet, so it has to be called before the first
    thread starts. Other C libraries have no such areas, and no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def collect_often() -> None:
    """Look for garbage more often than a command does, which ends before it matters.

    What was loaded stays, and is not looked through again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
