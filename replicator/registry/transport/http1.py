"""Http1Transport: httpx's transport interface over connections of our own."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Final

import httpx

from replicator.registry.settings import Timeouts, Tls
from replicator.registry.transport import connecting
from replicator.registry.transport.bodies import (
    BodyReader,
    ChunkedReader,
    ResponseBody,
    SizedReader,
    UnsizedReader,
)
from replicator.registry.transport.connection import Connection, Limits
from replicator.registry.transport.fields import AnswerHeaders
from replicator.registry.transport.heads import Head
from replicator.registry.transport.outgoing import Outgoing
from replicator.registry.transport.pool import Origin, Pool
from replicator.registry.transport.tls import shared_ssl_context

# One for all connections, because it is never in use across a wait.
_SCRATCH_SIZE: Final = 256 * 1024
_CIPHER_TEXT_SIZE: Final = 256 * 1024
_TIMEOUTS: Final = Timeouts()
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Http1Transport(httpx.AsyncBaseTransport):
    """Speaks HTTP/1.1: no HTTP/2, proxies, cookies, redirects or decompression.

    *max_connections* is for each origin, *keepalive_expiry* in seconds. Without *ssl_context*,
    the one for default settings is taken when it is needed.

    In a request's ``extensions``, ``timeout`` is httpx's and wins over *timeouts*; and
    ``allow_address`` is called with the IP address that the request is about to go to, before
    anything is sent, and raises to refuse it. All errors of its own are httpx's classes.

    A request whose connection was kept alive and turns out to be closed is repeated on a new one
    if nothing of an answer has come and nothing of its body is lost. An answer that comes before
    the request is sent ends the sending. A transport belongs to one event loop.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = 64,
        keepalive_expiry: float = 30.0,
        timeouts: Timeouts = _TIMEOUTS,
    ) -> None:
        self._ssl_context = ssl_context
        self._limits = Limits(timeouts.connect, timeouts.idle, timeouts.idle, None)
        self._pool = Pool(limit=max_connections, expiry=keepalive_expiry)
        self._scratch = memoryview(bytearray(_SCRATCH_SIZE))
        self._tls: connecting.SharedTls | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and return the answer as soon as its head is here."""
        origin = _origin(request.url)
        outgoing = Outgoing(request)
        limits = self._limits_of(request)
        allow_address = request.extensions.get("allow_address", _allow_any)
        connection = await self._pool.take(origin, limits.pool)
        try:
            if fresh := connection is None:
                connection = await self._connect(origin, limits, allow_address)
            else:
                allow_address(connection.address)
            try:
                head = await _exchange(outgoing, connection, limits)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                if fresh or connection.answer_begun or not outgoing.repeatable:
                    raise
                connection.close()
                connection = await self._connect(origin, limits, allow_address)
                head = await _exchange(outgoing, connection, limits)
            done = partial(self._pool.give_back, origin, connection)
            body = _body(outgoing.method, head, connection, done)
        except BaseException:
            if connection is not None:
                connection.close()
            self._pool.give_back(origin, connection)
            raise
        response = httpx.Response(head.status, stream=body)
        response.headers = AnswerHeaders(head.headers)
        return response

    async def aclose(self) -> None:
        """Close all connections, also those in use."""
        self._pool.close()

    async def _connect(
        self, origin: Origin, limits: Limits, allow_address: Callable[[str], None]
    ) -> Connection:
        scheme, host, port = origin
        socket, address = await connecting.connect(
            host,
            port,
            tls=self._tls_of_all() if scheme == "https" else None,
            timeout=limits.connect,
            allow_address=allow_address,
        )
        connection = Connection(socket, address, scratch=self._scratch, on_close=self._pool.forget)
        self._pool.add(origin, connection)
        return connection

    def _tls_of_all(self) -> connecting.SharedTls:
        """Return what all connections with TLS share; only they have it made."""
        if self._tls is None:
            context = self._ssl_context or shared_ssl_context(Tls())
            self._tls = connecting.SharedTls(context, memoryview(bytearray(_CIPHER_TEXT_SIZE)))
        return self._tls

    def _limits_of(self, request: httpx.Request) -> Limits:
        wanted = request.extensions.get("timeout")
        if not wanted:
            return self._limits
        get, usual = wanted.get, self._limits
        return Limits(
            get("connect", usual.connect),
            get("read", usual.read),
            get("write", usual.write),
            get("pool", usual.pool),
        )


async def _exchange(outgoing: Outgoing, connection: Connection, limits: Limits) -> Head:
    """Send a request and wait for the head of its answer."""
    connection.begin(limits)
    try:
        await outgoing.send(connection)
    except httpx.WriteError:
        # A server that refuses a request may say so and close without having read it.
        if (head := connection.head_after_failure()) is None:
            raise
        return head
    return await connection.head()


def _body(
    method: str, head: Head, connection: Connection, done: Callable[[], None]
) -> httpx.AsyncByteStream:
    """Return the body that follows *head*. (RFC 9112, 6.3)"""
    if method == "HEAD" or head.status in (204, 304):
        length: int | None = 0
    else:
        length = None if head.chunked else head.length
    if length is not None and length <= connection.rest:
        content = connection.take_rest(length)
        connection.finish()
        done()
        return httpx.ByteStream(content)
    return ResponseBody(_reader(head, length, connection), connection, done)


def _reader(head: Head, length: int | None, connection: Connection) -> BodyReader:
    if length is not None:
        return SizedReader(connection, length)
    return ChunkedReader(connection) if head.chunked else UnsizedReader(connection)


def _origin(url: httpx.URL) -> Origin:
    port = url.port or _DEFAULT_PORTS.get(url.scheme)
    if port is None or not url.raw_host:
        raise httpx.UnsupportedProtocol(f"{url.scheme!r} is neither http nor https, or has no host")
    return url.scheme, url.raw_host.decode("ascii"), port


def _allow_any(address: str) -> None:
    """Refuse nothing."""
