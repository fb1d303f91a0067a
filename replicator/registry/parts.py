"""Reading a blob over a long link: in parts, several at once, handed on in order.

However wide a long link is, one connection over it is slow: it keeps waiting for the other end to
say what has arrived. Several together are not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import httpx

from replicator.errors import RegistryError
from replicator.registry.calls import Call
from replicator.registry.pace import SLOWEST
from replicator.registry.protocols import Piece
from replicator.registry.ranges import starts_at
from replicator.registry.sending import Sender
from replicator.registry.wire import NO_ANSWER, body_of

# In bytes. Parts are in memory as a whole, and all those of a registry are 32 MiB at most.
PART: Final = 4 * 1024 * 1024
# In bytes. What is smaller is through before more connections would pay.
LEAST: Final = 64 * 1024 * 1024
# Seconds until the quickest answer began. Below is a near link, which one connection fills.
FAR: Final = 0.03
# In bytes a second. Where one connection is this fast, more of them gain nothing.
_FAST: Final = 200 * 1024 * 1024


class Parts:
    """One blob, read in parts for as long as that is of use.

    The first part comes alone, and shows whether the registry answers to ranges, and whether the
    link is slow. From then on as many are under way as the registry has places to spare, so that
    nobody waits because of them. When one of them fails there are no more: whoever reads the rest
    in the usual way learns what is wrong.
    """

    def __init__(self, sender: Sender, call: Call, size: int) -> None:
        self._sender = sender
        self._call = call
        self._size = size
        self._next = 0
        self._places = 0
        self._seconds = 0.0

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Yield the blob from its beginning on, to its end or as far as parts get."""
        # No TaskGroup: one around a yield would take a reader that leaves for an error.
        under_way: deque[asyncio.Task[bytearray | None]] = deque()
        try:
            if not self._take_place():
                return
            content = await self._part(self._following())
            is_slow = self._seconds * _FAST >= PART
            while content is not None:
                yield content
                self._give_back()
                if not (is_slow and self._begin_more(under_way)):
                    return
                content = await under_way.popleft()
        finally:
            await self._end(under_way)

    def _begin_more(self, under_way: deque[asyncio.Task[bytearray | None]]) -> bool:
        """Begin as many parts as there are places for; false if none is under way then."""
        while self._next < self._size and self._take_place():
            under_way.append(asyncio.create_task(self._part(self._following())))
        return bool(under_way)

    async def _end(self, under_way: deque[asyncio.Task[bytearray | None]]) -> None:
        """End what is under way, and give all places back."""
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        while self._places:
            self._give_back()

    def _following(self) -> range:
        """Return the places of the bytes of the next part."""
        begin, self._next = self._next, min(self._next + PART, self._size)
        return range(begin, self._next)

    def _take_place(self) -> bool:
        taken = self._sender.limits.take_part()
        self._places += taken
        return taken

    def _give_back(self) -> None:
        self._places -= 1
        self._sender.limits.give_back_part()

    async def _part(self, places: range) -> bytearray | None:
        """Return the bytes at *places*; None if they cannot be had in this way."""
        call = replace(
            self._call,
            headers=(("Range", f"bytes={places.start}-{places.stop - 1}"),),
            expected=frozenset({200, 206}),
        )
        try:
            # As slow as a body may be; that it is silent the transport notices.
            async with (
                asyncio.timeout(len(places) / SLOWEST),
                aclosing(await self._sender.open(call)) as response,
            ):
                if response.status_code == 200 or not starts_at(response, places.start, self._size):
                    self._sender.knowledge.takes_ranges = False
                    return None
                return await self._content(response, len(places))
        except (RegistryError, *NO_ANSWER):
            return None

    async def _content(self, response: httpx.Response, size: int) -> bytearray | None:
        """Return the body of *response*, which must be of *size* bytes."""
        now = self._sender.clock.monotonic
        began, content, offset = now(), bytearray(size), 0
        async for piece in body_of(response):
            end = offset + len(piece)
            if end > size:
                return None
            content[offset:end] = piece
            offset = end
        self._seconds = now() - began
        return content if offset == size else None
