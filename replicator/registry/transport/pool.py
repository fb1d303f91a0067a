"""Pool: the connections to each origin, and who may open or use one next."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import field
from typing import Final, TypeAlias

import httpx

from replicator.registry.transport.connection import Connection
from replicator.values import dataclass

# Scheme, host and port.
Origin: TypeAlias = tuple[str, str, int]

# Requests that may wait for a place at one origin.
_MOST_WAITING: Final = 10_000


@dataclass(slots=True)
class _Places:
    """What goes on at one origin; the last of *idle* is the one that was used last."""

    used: int = 0
    idle: list[Connection] = field(default_factory=list)
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Pool:
    """Gives out places for requests, at most *limit* at a time for each origin, in turn.

    With a place comes the idle connection that was used last, because that is the one which the
    server is least likely to close. Idle connections are closed after *expiry* seconds.
    """

    def __init__(self, *, limit: int, expiry: float) -> None:
        self._limit = limit
        self._expiry = expiry
        self._origins: dict[Origin, _Places] = {}
        self._open: dict[Connection, Origin] = {}

    async def take(self, origin: Origin, timeout: float | None) -> Connection | None:
        """Take a place, and an idle connection; None means that one has to be opened.

        The place is to be given back, whatever happens. Raises PoolTimeout.
        """
        if (places := self._origins.get(origin)) is None:
            places = self._origins[origin] = _Places()
        if places.used < self._limit:
            places.used += 1
        else:
            await self._wait_for_place(origin, places, timeout)
        while places.idle:
            if (connection := places.idle.pop()).is_alive():
                return connection
        return None

    def add(self, origin: Origin, connection: Connection) -> None:
        """Remember a connection that was opened for a place at *origin*."""
        self._open[connection] = origin

    def give_back(self, origin: Origin, connection: Connection | None) -> None:
        """Give back a place; its connection is kept if it can be used again, else closed."""
        places = self._origins[origin]
        if connection is not None:
            if connection.reusable:
                connection.park(self._expiry)
                places.idle.append(connection)
            else:
                connection.close()
        self._pass_on_place(origin, places)

    def forget(self, connection: Connection) -> None:
        """Forget a connection that was closed."""
        origin = self._open.pop(connection, None)
        if origin is None or (places := self._origins.get(origin)) is None:
            return
        with suppress(ValueError):
            places.idle.remove(connection)
        self._forget_if_unused(origin, places)

    def close(self) -> None:
        """Close all connections, also those in use."""
        for connection in tuple(self._open):
            connection.close()

    async def _wait_for_place(self, origin: Origin, places: _Places, timeout: float | None) -> None:
        if len(places.waiting) >= _MOST_WAITING:
            raise httpx.PoolTimeout("too many requests wait for a connection")
        turn = asyncio.get_running_loop().create_future()
        places.waiting.append(turn)
        try:
            async with asyncio.timeout(timeout):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # The place came just when nobody waited for it any more.
                self._pass_on_place(origin, places)
            with suppress(ValueError):
                places.waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("no connection became free in time") from error
            raise

    def _pass_on_place(self, origin: Origin, places: _Places) -> None:
        while places.waiting:
            if not (turn := places.waiting.popleft()).done():
                turn.set_result(None)
                return
        places.used -= 1
        self._forget_if_unused(origin, places)

    def _forget_if_unused(self, origin: Origin, places: _Places) -> None:
        if not places.used and not places.idle:
            self._origins.pop(origin, None)
