"""Engine: how workers learn that an item waits; the truth is in the database.

What sends a message is in the store, in the transaction that makes an item wait; see its carrier.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Engine(Protocol):
    """Carries the word that an item waits. A word that gets lost costs a moment, and no item."""

    async def run(self) -> None:
        """Listen for messages until cancelled."""
        ...

    def send(self) -> None:
        """Say to the tasks of this process that an item may wait."""
        ...

    async def receive(self, longest: float) -> None:
        """Return when an item may wait, at the latest after so many seconds."""
        ...


class LocalEngine:
    """Tells the tasks of this process; what other processes queue is found by looking."""

    def __init__(self) -> None:
        self._sent = asyncio.Event()

    async def run(self) -> None:
        """Wait until cancelled: there is nothing to listen to."""
        await asyncio.Event().wait()

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
