"""Housekeeping: forgets old history and adds up the rest, so that a service may run for years."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

from replicator.errors import ReplicatorError
from replicator.store.retention import Keep

_log = logging.getLogger(__name__)

# Seconds between two looks; history grows slowly.
_EVERY: Final = 3600.0


class Retention(Protocol):
    """Forgets old history."""

    async def forget(self, keep: Keep, now: datetime) -> int: ...


class Sums(Protocol):
    """Adds up what runs asked registries."""

    async def add_up(self, now: datetime) -> None: ...


class Housekeeping:
    """Keeps as much history as *keep* says, and its sums. Several services may do so at once."""

    def __init__(
        self,
        *,
        retention: Retention,
        sums: Sums,
        keep: Keep,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._retention = retention
        self._sums = sums
        self._keep = keep
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Tidy up until cancelled."""
        while True:
            await self._tidy_up()
            await self._sleep(_EVERY)

    async def _tidy_up(self) -> None:
        try:
            # First, so that what is forgotten was counted.
            await self._sums.add_up(self._clock())
            runs = await self._retention.forget(self._keep, self._clock())
        except ReplicatorError as error:
            _log.warning("history not tidied up", extra={"error": str(error)})
            return
        if runs:
            _log.info("old history forgotten", extra={"runs": runs})
