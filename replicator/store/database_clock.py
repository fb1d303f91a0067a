"""DatabaseClock: the time by the database's clock, whatever that of this machine says."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from replicator.errors import StoreError

if TYPE_CHECKING:
    from replicator.store.database import Database

_log = logging.getLogger(__name__)

# Seconds between two looks at it. In between a machine may have slept, or the server have become
# another; clocks that are wrong run as fast as others.
_EVERY: Final = 5.0
# An answer that took so many seconds says too little, once there was a better one.
_SLOW: Final = 1.0


class DatabaseClock:
    """Tells the time from what the database said last, and from how long ago that was.

    That is measured by a clock that nobody sets. It is behind by what an answer takes, and never
    ahead: who wakes by it is not told to come again. A file has no clock but the machine's.
    """

    def __init__(
        self,
        database: Database,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._sleep = sleep
        # What the database's clock said when the monotonic one was at 0.
        self._zero: datetime | None = None

    def __call__(self) -> datetime:
        """Return the time in UTC; by this machine as long as no server was asked."""
        if self._zero is None:
            return datetime.now(UTC)
        return self._zero + timedelta(seconds=self._monotonic())

    async def set(self) -> None:
        """Ask the server, if there is one. Raises StoreError."""
        if self._database.embedded:
            return
        from replicator.store.moments import database_time

        async with self._database.reading() as connection:
            asked_at = self._monotonic()
            now = await database_time(connection)
            answered_at = self._monotonic()
        if self._zero is None or answered_at - asked_at < _SLOW:
            self._zero = now - timedelta(seconds=answered_at)

    async def keep(self) -> None:
        """Ask again and again until cancelled; while the database is away, go on as before."""
        while True:
            await self._sleep(_EVERY)
            try:
                await self.set()
            except StoreError as error:
                _log.debug("clock not compared", extra={"error": str(error)})
