"""Relay: stands before a server, and counts the bytes that it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


class Relay:
    """Passes bytes on; *sent* is how many went to the server, *received* how many came back."""

    def __init__(self, server: str) -> None:
        self.host = ""
        self.sent = 0
        self.received = 0
        self._server = server

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Relay]:
        async with await asyncio.start_server(self._connected, "127.0.0.1", 0) as listener:
            self.host = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            yield self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._server.rpartition(":")
        theirs, ours = await asyncio.open_connection(host, int(port))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pass_on(reader, ours, self._count_sent))
            group.create_task(self._pass_on(theirs, writer, self._count_received))

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        count: Callable[[int], None],
    ) -> None:
        """Pass on what comes until it ends; a broken connection is an end like any other."""
        with suppress(OSError):
            while piece := await reader.read(256 * 1024):
                count(len(piece))
                writer.write(piece)
                await writer.drain()
        writer.close()

    def _count_sent(self, size: int) -> None:
        self.sent += size

    def _count_received(self, size: int) -> None:
        self.received += size
