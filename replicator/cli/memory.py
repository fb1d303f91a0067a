"""How a process that runs for long keeps its memory small."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from typing import Final

# glibc, malloc.h.
_M_ARENA_MAX: Final = -8
# One for the event loop, and one for all other threads: few of them allocate at the same time.
_ARENAS: Final = 2
# Seconds between two times that memory is given back; it takes some milliseconds.
_GIVE_BACK_EVERY: Final = 60.0

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


def give_back_often(loop: asyncio.AbstractEventLoop) -> None:
    """Give back once a minute what is free, for as long as *loop* runs.

    By itself glibc gives back only what is free at the end of an area. What many requests at once
    needed would stay for good, as there is always something left behind it.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is None:
        return

    def give_back() -> None:
        malloc_trim(0)
        loop.call_later(_GIVE_BACK_EVERY, give_back)

    give_back()


def collect_often() -> None:
    """Look for garbage more often than a command does, which ends before it matters.

    What was loaded stays, and is not looked through again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
