"""CopySlots: how many images a run copies at once, and how all runs stop without breaking one."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Valve:
    """Lets copies begin until it is closed."""

    def __init__(self) -> None:
        self._is_closed = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def close(self) -> None:
        """Let no copy begin any more, and return when those under way have ended."""
        self._is_closed = True
        await self._idle.wait()

    async def enter(self) -> None:
        """Begin a copy; after the end of copying this waits until it is cancelled."""
        if self._is_closed:
            await asyncio.Event().wait()
        self._under_way += 1
        self._idle.clear()

    def leave(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()


class CopySlots:
    """Bounds the copies of one run that are under way, each within ``async with``."""

    def __init__(self, number: int, valve: Valve) -> None:
        self._slots = asyncio.Semaphore(number)
        self._valve = valve

    async def __aenter__(self) -> None:
        await self._slots.acquire()
        try:
            await self._valve.enter()
        except BaseException:
            self._slots.release()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._valve.leave()
        self._slots.release()
