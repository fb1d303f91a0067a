"""A server on loopback that does what the test tells it, byte by byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(eq=False)
class Peer:
    """The server's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    async def request(self) -> Received:
        """Receive one request, with its body."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])
        }
        if headers.get("transfer-encoding") == "chunked":
            body = await self._chunked_body()
        else:
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Received(lines[0], headers, body)

    async def head(self) -> bytes:
        """Receive the head of a request only."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer_all(self, *answers: bytes) -> None:
        """Answer each request with the next of *answers*, and all others with the last one."""
        for answer in answers[:-1]:
            await self.request()
            await self.send(answer)
        while True:
            await self.request()
            await self.send(answers[-1])

    async def closed_by_client(self) -> None:
        """Wait for the client to close the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Close the connection so that the client gets an error instead of an end."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def _chunked_body(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body


Script: TypeAlias = Callable[[Peer], Awaitable[None]]


@dataclass
class ScriptedServer:
    """A running server; *peers* are the connections that it got, in order."""

    url: str
    peers: list[Peer] = field(default_factory=list)


@asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[ScriptedServer]:
    """Run *script* for each connection, and close the connection when it returns.

    What a script raises fails the test, unless it is about the client being gone.
    """
    failures: list[Exception] = []
    scripts: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        scripts.add(task)
        peer = Peer(reader, writer, len(server.peers))
        server.peers.append(peer)
        try:
            await script(peer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except Exception as error:
            failures.append(error)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    listener = await asyncio.start_server(serve, host, 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server = ScriptedServer(f"{'http' if tls is None else 'https'}://{host}:{port}")
    try:
        yield server
    finally:
        listener.close()
        for task in scripts:
            task.cancel()
        await asyncio.gather(*scripts, return_exceptions=True)
        await listener.wait_closed()
    if failures:
        raise failures[0]
