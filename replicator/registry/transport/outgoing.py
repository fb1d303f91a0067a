"""Outgoing: a request as it leaves, and whether it may leave again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Final, TypeAlias, cast

import httpx

from replicator.registry.transport.connection import Connection
from replicator.registry.transport.heads import encode_head

# Bodies up to this many bytes go out in one piece with the head.
_JOINED: Final = 16 * 1024

_Pieces: TypeAlias = AsyncIterator[bytes | bytearray | memoryview]


class Outgoing:
    """A request, ready to be sent on a connection.

    Raises LocalProtocolError if it cannot be written down as it is.
    """

    def __init__(self, request: httpx.Request) -> None:
        self.method = request.method
        self._head, fields = encode_head(request)
        self._length, self._chunked = fields.length, fields.chunked
        self._content = request.read() if isinstance(request.stream, httpx.ByteStream) else None
        self._stream = request.stream
        self._begun = False
        if self._content is not None and not self._chunked and len(self._content) != self._length:
            raise _wrong_length(len(self._content), self._length)

    @property
    def repeatable(self) -> bool:
        """Whether it can be sent from its beginning."""
        return self._content is not None or not self._begun

    async def send(self, connection: Connection) -> None:
        """Send the request, or as much of it as the server wants to have before it answers."""
        if self._content is not None and len(self._content) <= _JOINED and not self._chunked:
            await connection.send(self._head + self._content)
        else:
            await connection.send(self._head)
            await connection.send_until_answered(partial(self._send_body, connection))

    async def _send_body(self, connection: Connection) -> None:
        pieces = self._pieces()
        try:
            if self._chunked:
                await _send_chunks(connection, pieces)
            else:
                await _send_sized(connection, pieces, self._length)
        finally:
            if (aclose := getattr(pieces, "aclose", None)) is not None:
                await aclose()

    def _pieces(self) -> _Pieces:
        self._begun = True
        return cast(httpx.AsyncByteStream, self._stream).__aiter__()


async def _send_sized(connection: Connection, pieces: _Pieces, length: int) -> None:
    sent = 0
    async for piece in pieces:
        sent += len(piece)
        if sent > length:
            raise _wrong_length(sent, length)
        await connection.send(piece)
        if sent == length:
            connection.sent()
    if sent < length:
        raise _wrong_length(sent, length)


async def _send_chunks(connection: Connection, pieces: _Pieces) -> None:
    end_of_last = b""
    async for piece in pieces:
        if not piece:
            # An empty chunk would be the end.
            continue
        await connection.send(b"%b%x\r\n" % (end_of_last, len(piece)))
        await connection.send(piece)
        end_of_last = b"\r\n"
    await connection.send(end_of_last + b"0\r\n\r\n")
    connection.sent()


def _wrong_length(size: int, length: int) -> httpx.LocalProtocolError:
    return httpx.LocalProtocolError(f"a body of {size} bytes or more was declared as {length}")
