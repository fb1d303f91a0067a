"""Engine: how those who queue runs tell those who take them up; the truth is in the database."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Engine(Protocol):
    """Carries the word that a run waits. A word that gets lost costs a moment, and no run."""

    def send(self) -> None:
        """Say that a run waits."""
        ...

    async def receive(self, longest: float) -> None:
        """Return when a run may wait, at the latest after so many seconds."""
        ...


class LocalEngine:
    """Tells the tasks of this process; what other processes queue is found by looking."""

    def __init__(self) -> None:
        self._sent = asyncio.Event()

    def send(self) -> None:
        self._sent.set()

    async def receive(self, longest: float) -> None:
        try:
            async with asyncio.timeout(longest):
                await self._sent.wait()
        except TimeoutError:
            return
        # Before whoever called looks into the database: what is sent from now on counts.
        self._sent.clear()
