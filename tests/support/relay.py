"""Relay: stands before a server, and counts the bytes that it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Passes bytes on in both directions; *sent* is how many went to the server."""

    def __init__(self, server: str) -> None:
        self.host = ""
        self.sent = 0
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
            group.create_task(self._pass_on(reader, ours, counts=True))
            group.create_task(self._pass_on(theirs, writer, counts=False))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        """Pass on what comes until it ends; a broken connection is an end like any other."""
        with suppress(OSError):
            while piece := await reader.read(256 * 1024):
                self.sent += len(piece) if counts else 0
                writer.write(piece)
                await writer.drain()
        writer.close()
