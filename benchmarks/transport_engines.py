"""Ways to move a blob from one server to another, hashed on the way: ours and what it beat.

Each is a coroutine or a function that gets a Task. They are as short as they can be, without
errors, limits or HTTP beyond the two heads, so what they cost is a floor for their kind.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from replicator.registry.transport import Http1Transport, bodies

WAITING = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(frozen=True)
class Task:
    """*size* bytes from port *source* to port *sink*, in pieces of *piece* bytes."""

    source: int
    sink: int
    size: int
    piece: int
    context: ssl.SSLContext | None

    @property
    def get(self) -> bytes:
        return b"GET /%d HTTP/1.1\r\n\r\n" % self.size

    @property
    def put(self) -> bytes:
        return b"PUT / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % self.size

    def connect(self, port: int) -> socket.socket:
        tcp = socket.create_connection(("127.0.0.1", port))
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is None:
            return tcp
        return self.context.wrap_socket(tcp, server_hostname="localhost")

    def start(self) -> tuple[socket.socket, socket.socket]:
        """Connect to both, send both heads and receive the one of the blob."""
        source, sink = self.connect(self.source), self.connect(self.sink)
        source.sendall(self.get)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += source.recv(1)
        sink.sendall(self.put)
        return source, sink


def threads(task: Task) -> None:
    """Blocking sockets, nothing else in the process: the floor."""
    source, sink = task.start()
    view, digest, missing = memoryview(bytearray(task.piece)), hashlib.sha256(), task.size
    while missing:
        size = source.recv_into(view)
        digest.update(view[:size])
        sink.sendall(view[:size])
        missing -= size
    sink.recv(65536)


async def threads_for_asyncio(task: Task) -> None:
    """Blocking sockets in a thread pool, a piece handed over at a time."""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(2)
    source, sink = task.start()
    view, digest, missing = memoryview(bytearray(task.piece)), hashlib.sha256(), task.size
    while missing:
        size = await loop.run_in_executor(pool, _fill, source, view[: min(missing, len(view))])
        digest.update(view[:size])
        await loop.run_in_executor(pool, sink.sendall, view[:size])
        missing -= size
    await loop.run_in_executor(pool, sink.recv, 65536)


def _fill(source: socket.socket, view: memoryview) -> int:
    if not isinstance(source, ssl.SSLSocket):
        return source.recv_into(view, len(view), socket.MSG_WAITALL)
    size = 0
    while size < len(view):
        size += source.recv_into(view[size:])
    return size


class _Protocol(asyncio.BufferedProtocol):
    """Receives into one of two buffers; pauses when it is full."""

    def __init__(self, piece: int) -> None:
        self.buffers = [bytearray(piece), bytearray(piece)]
        self.size = 0
        self.received = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.buffers[0])[self.size :]

    def buffer_updated(self, size: int) -> None:
        self.size += size
        self.received.set()
        if self.size == len(self.buffers[0]):
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    async def take(self) -> memoryview:
        await self.received.wait()
        self.received.clear()
        self.buffers.reverse()
        size, self.size = self.size, 0
        if size == len(self.buffers[1]):
            self.transport.resume_reading()
        return memoryview(self.buffers[1])[:size]


async def buffered_protocol(task: Task) -> None:
    """asyncio's own transports, and its TLS."""
    connect = partial(
        asyncio.get_running_loop().create_connection,
        partial(_Protocol, task.piece),
        "127.0.0.1",
        ssl=task.context,
        server_hostname="localhost" if task.context else None,
    )
    _, source = await connect(port=task.source)
    _, sink = await connect(port=task.sink)
    source.transport.write(task.get)
    sink.transport.write(task.put)
    digest, missing, head = hashlib.sha256(), task.size, True
    while missing:
        view = await source.take()
        if head:
            view, head = view[bytes(view[:4096]).index(b"\r\n\r\n") + 4 :], False
        digest.update(view)
        sink.transport.write(view)
        await sink.writable.wait()
        missing -= len(view)
    await sink.received.wait()
    source.transport.close()
    sink.transport.close()


async def watched_sockets(task: Task) -> None:
    """Non-blocking sockets on the event loop; for TLS, ssl.SSLSocket."""
    source, sink = task.start()
    source.setblocking(False)
    sink.setblocking(False)
    view, digest, missing = memoryview(bytearray(task.piece)), hashlib.sha256(), task.size
    while missing:
        size = await _receive(source, view[: min(missing, len(view))])
        digest.update(view[:size])
        sent = 0
        while sent < size:
            try:
                sent += sink.send(view[sent:size])
            except WAITING:
                await _ready(asyncio.get_running_loop().add_writer, sink)
                asyncio.get_running_loop().remove_writer(sink)
        missing -= size
        await asyncio.sleep(0)
    await _receive(sink, view)


async def _receive(source: socket.socket, view: memoryview) -> int:
    """Receive what is here; wait only if there is nothing."""
    size = 0
    while size < len(view):
        try:
            size += source.recv_into(view[size:])
        except WAITING:
            if size:
                break
            await _ready(asyncio.get_running_loop().add_reader, source)
            asyncio.get_running_loop().remove_reader(source)
    return size


async def _ready(watch: Any, waited_for: socket.socket) -> None:
    future = asyncio.get_running_loop().create_future()
    watch(waited_for, future.set_result, None)
    await future


async def ours(task: Task) -> None:
    """Our transport, complete."""
    bodies.PIECE_SIZE = task.piece  # type: ignore[misc]
    async with Http1Transport(ssl_context=task.context) as transport:
        await _relay(task, transport)


async def httpx_transport(task: Task) -> None:
    """httpx's own transport, complete."""
    async with httpx.AsyncHTTPTransport(verify=task.context or False) as transport:
        await _relay(task, transport)


async def _relay(task: Task, transport: httpx.AsyncBaseTransport) -> None:
    scheme = "https" if task.context else "http"
    digest = hashlib.sha256()
    get = httpx.Request("GET", f"{scheme}://127.0.0.1:{task.source}/{task.size}")
    response = await transport.handle_async_request(get)

    async def hashed() -> Any:
        async for piece in response.stream:
            digest.update(piece)
            yield piece

    put = httpx.Request(
        "PUT",
        f"{scheme}://127.0.0.1:{task.sink}/",
        headers={"Content-Length": str(task.size)},
        content=hashed(),
    )
    answer = await transport.handle_async_request(put)
    assert answer.status_code == 201
    await answer.aclose()
    await response.aclose()


ENGINES = {
    engine.__name__: engine
    for engine in (
        threads,
        threads_for_asyncio,
        buffered_protocol,
        watched_sockets,
        ours,
        httpx_transport,
    )
}
