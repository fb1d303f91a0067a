"""How much goes on at once with one registry: requests, blob bodies, and their rates."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final
from weakref import WeakSet

from replicator.registry.bandwidth import BandwidthHours, bandwidth_at
from replicator.registry.circuit import Circuit
from replicator.registry.retry import Clock

# Answers that say "slow down" within this many seconds are one burst, which slows us down once.
_BURST: Final = 2.0
# Seconds between two looks at the clock on the wall, for limits that go by the hour.
_LOOK_EVERY: Final = 5.0

# Parts of large blobs that a registry has under way at once: each is in memory as a whole.
_PARTS: Final = 8


class Slots:
    """Places that are taken and given back; how many there are may change meanwhile.

    A place is held for the time of ``async with``, however many do so at once.
    """

    def __init__(self, limit: int) -> None:
        self.taken = 0
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._grant()

    async def take(self) -> None:
        """Wait for a place, first come first served."""
        if self.taken < self._limit and not self._waiting:
            self.taken += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give_back()
            else:
                # Whoever gave a place back in the same moment has passed over this one.
                with suppress(ValueError):
                    self._waiting.remove(place)
            raise

    def take_free(self) -> bool:
        """Take a place if there is one that nobody waits for."""
        free = self.taken < self._limit and not self._waiting
        self.taken += free
        return free

    def give_back(self) -> None:
        self.taken -= 1
        self._grant()

    async def __aenter__(self) -> None:
        await self.take()

    async def __aexit__(self, *error: object) -> None:
        self.give_back()

    def _grant(self) -> None:
        while self._waiting and self.taken < self._limit:
            place = self._waiting.popleft()
            if not place.done():
                self.taken += 1
                place.set_result(None)


class Rate:
    """So many units a second, 0 for any number; at most *burst* seconds' worth pass at once."""

    def __init__(self, per_second: float, *, burst: float, clock: Clock) -> None:
        self.per_second = per_second
        self._burst = burst
        self._clock = clock
        self._full_at = clock.monotonic()

    async def take(self, units: float) -> None:
        """Wait until *units* more may pass. Whoever comes later waits longer."""
        if not self.per_second:
            return
        now = self._clock.monotonic()
        self._full_at = max(self._full_at, now) + units / self.per_second
        if (wait := self._full_at - now - self._burst) > 0:
            await self._clock.sleep(wait)


class Limits:
    """All limits of one registry, shared by everything that speaks to it.

    Blob bodies have places of their own for each direction, and no request waits until a body
    is through: a copy holds the body it reads while it asks the destination for an upload, and
    two copies that waited for each other's places would wait for ever. Together they stay within
    *max_concurrency*, unless one registry is read and written to by the same copies.

    A burst of answers that say "slow down" (429, or 503 with a time to wait) halves what is
    allowed at once; each answer that says no such thing brings a little of it back. While *circuit*
    is open, hardly anything is asked at all. Where several processes share the registry, each
    keeps to its part of the ceilings; see ``divide``. The first entry of *bandwidth* whose hours
    it is counts.
    """

    def __init__(
        self,
        *,
        max_concurrency: int,
        max_blobs: int,
        requests_per_second: float,
        bandwidth: Sequence[BandwidthHours],
        clock: Clock,
    ) -> None:
        self.circuit = Circuit(clock)
        self._clock = clock
        self._max_concurrency = max_concurrency
        self._max_blobs = max_blobs
        self._requests_per_second = requests_per_second
        self._bandwidth = bandwidth
        self._among = 1
        self._beside = WeakSet[Limits]()
        self._ceiling = max(1, max_concurrency)
        self._most_bodies = max(1, min(max_blobs, max_concurrency - 1))
        self._allowed = float(self._ceiling)
        self._requests = Slots(self._ceiling)
        self._reading = Slots(self._most_bodies)
        self._writing = Slots(self._most_bodies)
        self._parts = Slots(_PARTS)
        self._request_rate = Rate(requests_per_second, burst=1.0, clock=clock)
        self._byte_rate = Rate(0, burst=0.25, clock=clock)
        self._looked_at = float("-inf")
        self._paused_until = 0.0
        self._slowed_at = float("-inf")

    def divide(self, among: int) -> None:
        """Keep to one part of all ceilings, as *among* - 1 other processes keep to theirs.

        One place for requests and one for bodies is left to each, however many they are.
        """
        if among == self._among:
            return
        allowed = self._allowed / self._ceiling
        self._among = among
        self._ceiling = max(1, self._max_concurrency // among)
        self._most_bodies = max(1, min(self._max_blobs // among, self._ceiling - 1))
        self._request_rate.per_second = self._requests_per_second / among
        self._set_byte_rate()
        self._allow(allowed * self._ceiling)
        for other in self._beside:
            other.divide(among)

    def beside(self) -> Limits:
        """Return limits for another origin of the same registry: as many of all but bytes.

        They are divided together with these.
        """
        other = Limits(
            max_concurrency=self._max_concurrency,
            max_blobs=self._max_blobs,
            requests_per_second=self._requests_per_second,
            bandwidth=(),
            clock=self._clock,
        )
        other.divide(self._among)
        self._beside.add(other)
        return other

    def request(self) -> AbstractAsyncContextManager[None]:
        """Hold a place for a request whose bodies are small."""
        return self._requests

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Hold a place for a blob that is read."""
        return _BodyPlace(self._reading, self._share)

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Hold a place for a blob that is sent."""
        return _BodyPlace(self._writing, self._share)

    def take_part(self) -> bool:
        """Take a place for one part more of a blob that is being read, if there is one to spare."""
        if not self._reading.take_free():
            return False
        if not self._parts.take_free():
            self._reading.give_back()
            return False
        self._share()
        return True

    def give_back_part(self) -> None:
        self._parts.give_back()
        self._reading.give_back()
        self._share()

    async def pace(self) -> None:
        """Wait until the registry may get one more request."""
        await self._request_rate.take(1)
        while (wait := self._paused_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait)

    async def pass_bytes(self, size: int) -> None:
        """Wait until *size* more bytes of blobs may pass."""
        if self._bandwidth and self._clock.monotonic() - self._looked_at >= _LOOK_EVERY:
            self._set_byte_rate()
        await self._byte_rate.take(size)

    def throttled(self, wait: float) -> None:
        """The registry said "slow down": nobody asks for *wait* seconds, and fewer from now on."""
        now = self._clock.monotonic()
        self._paused_until = max(self._paused_until, now + wait)
        if now - self._slowed_at > _BURST + wait:
            self._slowed_at = now
            self._allow(self._allowed / 2)

    def answered(self) -> None:
        """The registry answered, and did not say "slow down"."""
        if self._allowed < self._ceiling:
            self._allow(self._allowed + 1 / self._allowed)

    def _set_byte_rate(self) -> None:
        """Go by the hour that it is."""
        self._looked_at = self._clock.monotonic()
        limit = bandwidth_at(self._bandwidth, self._clock.now())
        self._byte_rate.per_second = limit / self._among

    def _allow(self, allowed: float) -> None:
        self._allowed = min(float(self._ceiling), max(1.0, allowed))
        bodies = max(1, min(self._most_bodies, int(self._allowed)))
        if bodies != self._reading.limit:
            self._reading.limit = self._writing.limit = bodies
        self._share()

    def _share(self) -> None:
        """Leave to requests what bodies do not take, and one place at least."""
        left = max(1, int(self._allowed) - self._reading.taken - self._writing.taken)
        if left != self._requests.limit:
            self._requests.limit = left


class _BodyPlace:
    """A place for a blob; *changed* is called when it was taken, and when it was given back."""

    def __init__(self, slots: Slots, changed: Callable[[], None]) -> None:
        self._slots = slots
        self._changed = changed

    async def __aenter__(self) -> None:
        await self._slots.take()
        self._changed()

    async def __aexit__(self, *error: object) -> None:
        self._slots.give_back()
        self._changed()
