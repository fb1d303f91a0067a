"""SharedLimits: divides what registries allow among the services that copy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

from replicator.errors import StoreError
from replicator.service.outside.registries import Registries

_log = logging.getLogger(__name__)

# Seconds between two looks at who is there.
_EVERY: Final = 5.0


class Workers(Protocol):
    """Knows which services copy."""

    async def working(self, now: datetime) -> int:
        """Return how many there are, this one included."""
        ...


class SharedLimits:
    """Keeps this process to its part of the limits, by how many others there are.

    Whoever is gone is counted for as long as its runs are thought to be its own; somebody new
    has its part when the others have looked. In between there may be a little more or less.
    """

    def __init__(
        self,
        workers: Workers,
        registries: Registries,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._workers = workers
        self._registries = registries
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self.look()
            await self._sleep(_EVERY)

    async def look(self) -> None:
        """Divide anew if somebody came or went; as before while the database is away."""
        try:
            among = await self._workers.working(self._clock())
        except StoreError as error:
            _log.warning("limits not divided anew", extra={"error": str(error)})
            return
        self._registries.divide_limits(max(1, among))
