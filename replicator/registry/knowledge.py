"""Knowledge: what was found out about a registry while speaking to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import field

from replicator.registry.profile import GENERIC, Profile, ReferrersBy, Shape, profile_by_challenge
from replicator.values import dataclass

# In bytes: below nginx's default limit for the body of a request.
SMALLEST_CHUNK = 960 * 1024
# So many 500s in a row to a blob in the closing PUT are no bad moment.
_ENOUGH_FAILURES = 2


@dataclass(frozen=True, slots=True)
class Way:
    """A shape of upload; *chunk_size* is in bytes, 0 where there are no chunks."""

    shape: Shape
    chunk_size: int = 0


@dataclass(slots=True)
class Knowledge:
    """Begins with what the profile says and ends with the registry; shared by all that speak to it.

    - *self_mount*: whether a mount from the very repository tells that the blob is there; None
      while nobody knows.
    - *trusts_head*: whether a HEAD that finds nothing can be believed; None likewise, and
      *trying_head* is held by whoever finds out.
    - *proxies*: the first parts of paths of which the registry was seen to be a proxy.
    - *referrers_api*: whether there is one; None likewise, and *trying_referrers* likewise.
    - *takes_ranges*: whether it has never answered to a range with something else.
    - *way*: how blobs are sent; *failed_puts*: how many PUTs in a row ended with 500.
    """

    profile: Profile
    self_mount: bool | None = None
    trusts_head: bool | None = None
    referrers_api: bool | None = None
    proxies: set[str] = field(default_factory=set)
    takes_ranges: bool = True
    way: Way = Way(Shape.PUT)
    failed_puts: int = 0
    trying_head: asyncio.Lock = field(default_factory=asyncio.Lock)
    trying_referrers: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refused: set[Way] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._begin()

    def recognise(self, challenge: str) -> None:
        """Take on the profile that a challenge tells, if nothing better is known."""
        if self.profile.kind == GENERIC and (profile := profile_by_challenge(challenge)):
            self.take(profile)

    def take(self, profile: Profile) -> None:
        """Begin again with what another profile says."""
        self.profile = profile
        self._begin()

    def another_way(self, way: Way, *, too_large: int = 0) -> bool:
        """Send blobs in another way than *way* from now on; False if all have been refused.

        *too_large* is the size in bytes of a body that was refused for its size: it goes in
        smaller parts. Whoever does not take a PUT may take a PATCH, or the other way round.
        """
        if way != self.way:  # somebody else has changed it meanwhile
            return True
        self._refused.add(way)
        other = next(
            (each for each in self._others(way, too_large) if each not in self._refused), None
        )
        self.way = other or way
        return other is not None

    def note_failed_put(self) -> None:
        """Count a 500 to a PUT, and try a PATCH if there were several: some know no other way."""
        self.failed_puts += 1
        if self.failed_puts >= _ENOUGH_FAILURES:
            self.failed_puts = 0
            self.another_way(Way(Shape.PUT))

    def _others(self, way: Way, too_large: int) -> Iterator[Way]:
        if self.profile.takes_chunks:
            for size in (self.profile.chunk_size, SMALLEST_CHUNK):
                if size < too_large:
                    yield Way(Shape.CHUNKS, size)
        if way.shape is not Shape.PUT:
            yield Way(Shape.PUT)
        elif not too_large:
            yield Way(Shape.PATCH)

    def _begin(self) -> None:
        profile = self.profile
        self.self_mount = profile.self_mount
        self.trusts_head = True if profile.trusts_head else None
        self.referrers_api = {ReferrersBy.API: True, ReferrersBy.TAG: False}.get(profile.referrers)
        chunk_size = profile.chunk_size if profile.upload is Shape.CHUNKS else 0
        self.way = Way(profile.upload, chunk_size)
