"""Flights: one at a time for each key, while the others wait for what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final, Generic, TypeVar

from replicator.errors import ReplicatorError
from replicator.oci.reference import RepositoryName

K = TypeVar("K", bound=Hashable)

# When so many have failed one after the other, those who still wait give up too.
_ENOUGH_FAILURES: Final = 2


class Flight:
    """What is under way for one key, and who waits for it."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0
        # What whoever has, or last had, the turn reads from; None until somebody has said.
        self.source: RepositoryName | None = None
        self._failures: list[tuple[RepositoryName | None, ReplicatorError]] = []

    @contextmanager
    def noting_failure(self) -> Iterator[None]:
        """Let those who still wait know when what is done inside fails."""
        try:
            yield
        except ReplicatorError as error:
            self._failures.append((self.source, error))
            raise

    @property
    def troubled(self) -> bool:
        """Whether it has failed often enough that waiting for it is no use."""
        return len(self._failures) >= _ENOUGH_FAILURES

    def raise_if_hopeless(self) -> None:
        """Raise the last error when others with the same source have failed often enough.

        One who waited takes over from one who failed, which may have been bad luck. Without an
        end to that, a hundred tags that share a blob would try a dead registry a hundred times,
        each after the other.
        """
        errors = [error for source, error in self._failures if source == self.source]
        if len(errors) >= _ENOUGH_FAILURES:
            raise errors[-1]


class Flights(Generic[K]):
    """The flights of all keys; a key that nobody uses takes no room."""

    def __init__(self) -> None:
        self._flights: dict[K, Flight] = {}

    def take(
        self, key: K, source: RepositoryName | None = None
    ) -> AbstractAsyncContextManager[Flight]:
        """Wait for one's turn at *key*, first come first served, and have it inside."""
        return _Turn(self._flights, key, source)

    def source_of(self, key: K) -> RepositoryName | None:
        """Return the source of the flight that is under way, None if there is none."""
        flight = self._flights.get(key)
        return flight.source if flight else None

    def is_taken(self, key: K) -> bool:
        return key in self._flights


class _Turn(Generic[K]):
    """One turn at a key. Thousands are taken in a run: a generator would cost three times this."""

    def __init__(self, flights: dict[K, Flight], key: K, source: RepositoryName | None) -> None:
        self._flights = flights
        self._key = key
        self._source = source

    async def __aenter__(self) -> Flight:
        flight = self._flight = self._flights.setdefault(self._key, Flight())
        flight.users += 1
        try:
            await flight.lock.acquire()
        except BaseException:
            self._leave()
            raise
        flight.source = self._source
        return flight

    async def __aexit__(self, *error: object) -> None:
        self._flight.lock.release()
        self._leave()

    def _leave(self) -> None:
        self._flight.users -= 1
        if not self._flight.users:
            del self._flights[self._key]
