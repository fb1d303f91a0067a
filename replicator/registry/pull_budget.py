"""PullBudget: how many manifests a registry still gives out, where it counts them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

from replicator.errors import PullsSpent
from replicator.registry.retry import Clock

# Docker Hub's ``ratelimit-remaining: 76;w=21600``: what is left, and the window in seconds.
_REMAINING: Final = re.compile(r"\s*([0-9]{1,9})\s*;\s*w=([0-9]{1,9})\s*", re.ASCII)
# Whom it counts the pulls of: an address, or the id of an account.
_SOURCE: Final = "docker-ratelimit-source"
# In seconds; how long what was left is believed before somebody looks again, which is free.
_STALE_AFTER: Final = 60.0


class SharedPulls(Protocol):
    """Keeps for all processes what is left of each limit. It helps, and never fails a pull."""

    async def note(self, registry: str, source: str, left: int) -> None:
        """Keep what an answer said to be left for *source*."""
        ...

    async def take(self, registry: str, source: str, *, reserve: int) -> int | None:
        """Take one pull if more than *reserve* are left, and return how many were left before.

        None if that is not known, or was heard too long ago to be believed.
        """
        ...


class PullBudget:
    """Counts what is left of a pull limit, as the answers about manifests say it.

    *reserve* pulls are left to others who come from the same address or account. As long as
    nobody knows whether there is a limit, one pull at a time finds out. From then on other
    processes that are counted together with this one are heard of through *shared*.
    """

    def __init__(self, *, reserve: int, clock: Clock, shared: SharedPulls | None = None) -> None:
        self._reserve = reserve
        self._clock = clock
        self._shared = shared
        self._source = ""
        self._left: int | None = None
        self._window = 0.0
        self._noted_at = float("-inf")
        self._under_way = 0
        self._is_known = False
        self._finding_out = asyncio.Lock()

    def note(self, headers: Mapping[str, str]) -> None:
        """Learn from the answer to a GET or HEAD of a manifest. No header means no limit."""
        self._is_known = True
        self._noted_at = self._clock.monotonic()
        found = _REMAINING.fullmatch(headers.get("ratelimit-remaining", ""))
        self._left = int(found[1]) if found else None
        self._window = float(found[2]) if found else 0.0
        self._source = headers.get(_SOURCE, "")

    def spent(self, headers: Mapping[str, str]) -> None:
        """Learn that the registry gives out nothing more."""
        self.note(headers)
        self._left = 0

    @property
    def wants_news(self) -> bool:
        """Whether a HEAD should be sent first, as there seemed to be too little a while ago."""
        return self._is_low and self._clock.monotonic() - self._noted_at >= _STALE_AFTER

    @asynccontextmanager
    async def pull(self, registry: str) -> AsyncIterator[None]:
        """Take one pull out of the budget. Raises PullsSpent if only the reserve is left."""
        if not self._is_known:
            async with self._finding_out:
                if not self._is_known:
                    yield
                    await self._tell(registry)
                    return
        await self._hear(registry)
        if self._is_low:
            raise PullsSpent(
                f"{registry}: {self._left} pulls are left of its limit, {self._reserve} of them in "
                "reserve; what is left to copy is deferred",
                retry_after=self._window,
                registry=registry,
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            await self._tell(registry)

    async def _hear(self, registry: str) -> None:
        """Take one pull for all processes, and believe what is left of theirs."""
        if self._shared is None or self._left is None or not self._source:
            return
        left = await self._shared.take(registry, self._source, reserve=self._reserve)
        if left is not None:
            # Our own that are under way have been taken from that already.
            self._left = left + self._under_way

    async def _tell(self, registry: str) -> None:
        """Let the others know what the last answer said."""
        if self._shared is not None and self._left is not None and self._source:
            await self._shared.note(registry, self._source, self._left)

    @property
    def _is_low(self) -> bool:
        return self._left is not None and self._left - self._under_way <= self._reserve
