"""From an origin to a connected socket: addresses, TCP, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Any, Final, NamedTuple, TypeAlias

import httpx

from replicator.registry.transport.sockets import PlainSocket, Socket, TlsSocket

# Family and socket address.
_Address: TypeAlias = tuple[int, tuple[Any, ...]]

# Seconds that an address gets before the next is tried beside it. (RFC 8305, 8)
_HEAD_START: Final = 0.25
# Of cipher text, while shaking hands.
_HANDSHAKE_PART: Final = 16 * 1024


class SharedTls(NamedTuple):
    """What all connections with TLS share; *cipher_text* is as for TlsSocket."""

    context: ssl.SSLContext
    cipher_text: memoryview


async def connect(
    host: str,
    port: int,
    *,
    tls: SharedTls | None,
    timeout: float | None,
    allow_address: Callable[[str], None],
) -> tuple[Socket, str]:
    """Connect to *host* and return the socket with the address that answered.

    *allow_address* is asked about that address before anything is sent, and raises to refuse it.
    *timeout* is for everything together, in seconds.

    Raises ConnectTimeout, ConnectError; its cause is an ``ssl.SSLCertVerificationError`` if the
    certificate is not trusted.
    """
    try:
        async with asyncio.timeout(timeout):
            tcp = await _first_connected(await _addresses(host, port))
            try:
                address = tcp.getpeername()[0].partition("%")[0]
                allow_address(address)
                tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if tls is None:
                    return PlainSocket(tcp), address
                return await _shake_hands(tcp, tls, host), address
            except BaseException:
                tcp.close()
                raise
    except TimeoutError as error:
        raise httpx.ConnectTimeout(f"no connection to {host} in time") from error
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError(str(error)) from error


async def _addresses(host: str, port: int) -> list[_Address]:
    """Look up the addresses of *host*, those of both families alternating."""
    with suppress(ValueError):
        # No need of the resolver and its thread.
        family = socket.AF_INET if ip_address(host).version == 4 else socket.AF_INET6
        return [(family, (host, port))]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(_named(host), port, type=socket.SOCK_STREAM)
    families: dict[int, list[_Address]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append((family, address))
    return [one for one in chain(*zip_longest(*families.values())) if one is not None]


async def _first_connected(addresses: list[_Address]) -> socket.socket:
    """Connect to the first address that answers; the next is tried when one fails or is slow."""
    winners: list[socket.socket] = []
    failures: list[OSError] = []
    attempts: list[asyncio.Task[None]] = []

    async def attempt(address: _Address) -> None:
        try:
            winners.append(await _connect_to(address))
        except OSError as error:
            failures.append(error)
            return
        for other in attempts:
            if other is not asyncio.current_task():
                other.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            for address in addresses:
                attempts.append(group.create_task(attempt(address)))
                await asyncio.wait(attempts[-1:], timeout=_HEAD_START)
                if winners:
                    break
    except BaseException:
        for winner in winners:
            winner.close()
        raise
    for late in winners[1:]:
        late.close()
    if not winners:
        raise failures[0]
    return winners[0]


async def _connect_to(address: _Address) -> socket.socket:
    family, (host, *rest) = address
    tcp = socket.socket(family, socket.SOCK_STREAM)
    try:
        tcp.setblocking(False)
        await asyncio.get_running_loop().sock_connect(tcp, (_named(host), *rest))
    except BaseException:
        tcp.close()
        raise
    return tcp


async def _shake_hands(tcp: socket.socket, tls: SharedTls, host: str) -> TlsSocket:
    loop = asyncio.get_running_loop()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = tls.context.wrap_bio(incoming, outgoing, server_hostname=_named(host))
    part = bytearray(_HANDSHAKE_PART)
    while True:
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            await loop.sock_sendall(tcp, outgoing.read())
        except ssl.SSLError:
            # Tells the server why; what matters is our own error.
            with suppress(OSError):
                tcp.send(outgoing.read())
            raise
        else:
            await loop.sock_sendall(tcp, outgoing.read())
            return TlsSocket(tcp, session, incoming, outgoing, cipher_text=tls.cipher_text)
        if not (size := await loop.sock_recv_into(tcp, part)):
            raise ConnectionResetError("the server closed the connection while TLS was set up")
        incoming.write(memoryview(part)[:size])


def _named(host: str) -> bytes:
    """Return a name or address as bytes: for text, a codec for international names is loaded."""
    return host.encode("ascii")
