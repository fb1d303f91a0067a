"""An evil registry that answers as a test says, and a sinkhole that writes down what comes."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import quote

PASSWORD = "canary-7f3Zq"
IDENTITY_TOKEN = "canary-identity-9xK"
TOKEN = "canary-token-2wE"
_SECRETS = (PASSWORD, IDENTITY_TOKEN, TOKEN)


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]  # names in lower case
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each == name), None)


@dataclass(frozen=True)
class Answer:
    """An answer to send; a body that does not end is sent until the client hangs up.

    One of *status* 0 has no head but what its body begins with.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Callable[[], AsyncIterator[bytes]] = b""


Behaviour = Callable[[Request], Answer]


@dataclass
class Evil:
    """A running registry of evil; a test sets how it behaves."""

    port: int
    scheme: str = "http"
    address: str = "127.0.0.1"
    behave: Behaviour = lambda request: Answer(404)
    requests: list[Request] = field(default_factory=list)
    most_sent: int = 0  # bytes of the longest answer

    @property
    def host(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"


@dataclass
class Sinkhole:
    """A server nobody should have been sent to; *received* is what came, byte by byte."""

    port: int
    address: str
    scheme: str = "http"
    received: bytearray = field(default_factory=bytearray)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}:{self.port}"

    def saw_nothing(self) -> bool:
        return not self.connections

    def saw_no_secret(self) -> bool:
        """Say whether neither a secret came in any form, nor a header that carries one."""
        text = self.received.decode("latin-1")
        forms = [form for secret in _SECRETS for form in _forms(secret)]
        carriers = ("authorization:", "cookie:", "x-registry-auth:")
        return not any(form in text for form in forms) and not any(
            carrier in text.lower() for carrier in carriers
        )


def _forms(secret: str) -> list[str]:
    pair = base64.b64encode(f"alice:{secret}".encode()).decode()
    return [secret, quote(secret, safe=""), pair, base64.b64encode(secret.encode()).decode()]


@asynccontextmanager
async def evil_registry(
    tls: ssl.SSLContext | None = None, *, address: str = "127.0.0.1"
) -> AsyncIterator[Evil]:
    """Run a registry whose answers a test decides."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await _request(reader)) is not None:
            evil.requests.append(request)
            sent = 0
            answer = evil.behave(request)
            with_body = request.method != "HEAD" or not answer.status
            async for piece in _pieces(answer, with_body=with_body):
                sent += len(piece)
                evil.most_sent = max(evil.most_sent, sent)
                writer.write(piece)
                await writer.drain()

    async with _serving(serve, tls, address) as port:
        evil = Evil(port, "http" if tls is None else "https", address)
        yield evil


@asynccontextmanager
async def sinkhole(
    tls: ssl.SSLContext | None = None, *, address: str = "127.0.0.1"
) -> AsyncIterator[Sinkhole]:
    """Run a server that writes everything down, and says yes and gives a token to all of it."""
    body = b'{"token":"sunk","tags":[],"name":"a"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hole.connections += 1
        while data := await reader.read(65_536):
            hole.received += data
            if data.startswith(b"\x16"):
                return  # a TLS handshake, which nobody answers here
            if b"\r\n\r\n" in data:
                writer.write(answer % (len(body), body))

    async with _serving(serve, tls, address) as port:
        hole = Sinkhole(port, address, "http" if tls is None else "https")
        yield hole


@asynccontextmanager
async def _serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object],
    tls: ssl.SSLContext | None,
    address: str,
) -> AsyncIterator[int]:
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, address, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    line, *lines = head.strip().split("\r\n")
    method, target, _ = line.split(" ", 2)
    pairs = (each.partition(":") for each in lines)
    headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    return Request(method, target, headers, await reader.readexactly(length))


async def _pieces(answer: Answer, *, with_body: bool) -> AsyncIterator[bytes]:
    if answer.status:
        yield _head(answer)
    if not with_body:
        return
    if isinstance(answer.body, bytes):
        yield answer.body
    else:
        async for piece in answer.body():
            yield piece
        raise ConnectionError  # nothing else tells the client that this was all


def _head(answer: Answer) -> bytes:
    headers = list(answer.headers)
    names = {name.lower() for name, _ in headers}
    if isinstance(answer.body, bytes) and not names & {"content-length", "transfer-encoding"}:
        headers.append(("Content-Length", str(len(answer.body))))
    lines = [f"HTTP/1.1 {answer.status} Whatever", *(f"{name}: {value}" for name, value in headers)]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")
