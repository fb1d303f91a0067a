"""The bodies of answers: how each kind is received, and ResponseBody, which hands them out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final, Protocol

import httpx

from replicator.registry.protocols import Piece
from replicator.registry.transport.chunks import ChunkParser
from replicator.registry.transport.connection import Connection
from replicator.registry.transport.pieces import PIECE_SIZE, PieceBuffers

# Of a body without a length; such bodies are rare and mostly small.
_UNSIZED_PIECE: Final = 64 * 1024
# What is left of an unread body is received and forgotten if it is this small and here already.
_SMALL_REST: Final = 64 * 1024


class BodyReader(Protocol):
    """Receives the body of one answer."""

    @property
    def complete(self) -> bool:
        """Whether the body has been received to its end."""
        ...

    async def read(self) -> Piece:
        """Return the next piece; an empty one if the body ends here.

        Raises ReadTimeout, ReadError, RemoteProtocolError.
        """
        ...

    def drain(self) -> None:
        """Receive what is left and forget it, if it is small and here already."""
        ...


class SizedReader:
    """Receives a body of a stated length."""

    def __init__(self, connection: Connection, length: int) -> None:
        self._connection = connection
        self._length = self._missing = length
        self._buffers = PieceBuffers()

    @property
    def complete(self) -> bool:
        return not self._missing

    async def read(self) -> Piece:
        view = self._buffers.take(min(self._missing, PIECE_SIZE))
        size = await _fill(view, self._connection)
        if not size:
            raise httpx.RemoteProtocolError(
                f"the server closed the connection when {self._missing} of "
                f"{self._length} bytes were missing"
            )
        self._missing -= size
        return view[:size]

    def drain(self) -> None:
        self._missing -= len(self._connection.take_rest(self._missing))
        while 0 < self._missing <= _SMALL_REST:
            received = self._connection.receive(self._connection.scratch[: self._missing])
            if not received:
                break
            self._missing -= received


class UnsizedReader:
    """Receives a body that ends with the connection."""

    def __init__(self, connection: Connection) -> None:
        self.complete = False
        self._connection = connection
        self._buffers = PieceBuffers()

    async def read(self) -> Piece:
        view = self._buffers.take(_UNSIZED_PIECE)
        size = await _fill(view, self._connection)
        if not size:
            self.complete = True
            self._connection.close()
        return view[:size]

    def drain(self) -> None:
        """Do nothing: the connection cannot be used again."""


async def _fill(view: memoryview, connection: Connection) -> int:
    """Receive what is here into *view*; wait only if there is nothing.

    Returns 0 at the end of the connection. An error is left to the next call if there are bytes.
    """
    rest = connection.take_rest(len(view))
    size = len(rest)
    view[:size] = rest
    while size < len(view):
        try:
            received = connection.receive(view[size:])
        except httpx.ReadError:
            if size:
                break
            raise
        if received:
            size += received
        elif size or received == 0:
            break
        else:
            await connection.readable()
    await connection.give_turn(size)
    return size


class ChunkedReader:
    """Receives a body in chunks. (RFC 9112, 7.1)"""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._chunks = ChunkParser()
        self._ready = b""
        self._feed(connection.take_rest())

    @property
    def complete(self) -> bool:
        return self._chunks.complete and not self._ready

    async def read(self) -> Piece:
        while not self._ready and not self._chunks.complete:
            received = self._connection.receive(self._connection.scratch)
            if received is None:
                await self._connection.readable()
            elif not received:
                raise httpx.RemoteProtocolError(
                    "the server closed the connection before the last chunk"
                )
            else:
                self._feed(self._connection.scratch[:received])
        piece, self._ready = self._ready, b""
        await self._connection.give_turn(len(piece))
        return piece

    def drain(self) -> None:
        if not self._chunks.complete:
            received = self._connection.receive(self._connection.scratch[:_SMALL_REST])
            if received:
                self._feed(self._connection.scratch[:received])
        self._ready = b""

    def _feed(self, data: bytes | memoryview) -> None:
        self._ready = self._chunks.feed(data)
        if self._chunks.excess:
            # Nobody knows what that is, so no other answer may follow it.
            self._connection.close()


class ResponseBody(httpx.AsyncByteStream):
    """Hands out a body piece by piece; *done* is called once the connection is not needed.

    A piece stays as it is for as long as somebody holds it, but who lets go of each piece soon
    needs no more memory than two of them. Given up or closed before its end, the body takes its
    connection with it.
    """

    def __init__(
        self, reader: BodyReader, connection: Connection, done: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._connection = connection
        self._done = done
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Piece:
        if self._ended:
            raise StopAsyncIteration
        try:
            piece = await self._reader.read()
        except BaseException:
            self._end()
            raise
        if self._reader.complete:
            self._end()
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        if self._ended:
            return
        with suppress(httpx.TransportError):
            self._reader.drain()
        self._end()

    def _end(self) -> None:
        self._ended = True
        if self._reader.complete:
            self._connection.finish()
        self._done()
