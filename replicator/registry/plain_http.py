"""Whether a registry on this machine speaks TLS, found out without sending it a request."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from replicator.registry.addresses import Nearness, nearness
from replicator.registry.gate import Origin, api_origin
from replicator.registry.settings import RegistrySettings

# Whatever runs on this machine and speaks TLS says something within this many seconds.
_PATIENCE: Final = 2.0
# The first byte of a record with a handshake, or with an alert. (RFC 8446, "Record Protocol")
_TLS_RECORDS: Final = (b"\x16", b"\x15")


async def is_plain_http(settings: RegistrySettings, origin: Origin) -> bool:
    """Say whether *origin* has to be spoken to without TLS.

    It is sent the first message of a TLS handshake, which every TLS server answers in kind, and
    which is no request to any other. A host that cannot be reached is left to the request that
    comes next.
    """
    if not may_be_plain(settings, origin):
        return False
    try:
        async with asyncio.timeout(_PATIENCE):
            return await _first_byte(origin) not in _TLS_RECORDS
    except TimeoutError:
        return True
    except OSError:
        return False


def may_be_plain(settings: RegistrySettings, origin: Origin) -> bool:
    """Say whether the entry leaves open if *origin* speaks TLS: only one of a loopback host can."""
    if settings.plain_http is not None or "://" in settings.endpoint or settings.proxy:
        return False
    is_loopback = origin.host == "localhost" or nearness(origin.host) is Nearness.LOOPBACK
    return origin.scheme == "https" and is_loopback


def shown_endpoint(settings: RegistrySettings) -> str:
    """Return where the API is, without a scheme while only asking there would tell it."""
    origin = api_origin(settings)
    text = settings.endpoint or str(origin)
    return text.partition("://")[2] if may_be_plain(settings, origin) and "://" in text else text


async def _first_byte(origin: Origin) -> bytes:
    reader, writer = await asyncio.open_connection(origin.host, origin.port)
    try:
        # The empty lines end the head of what a plain server may take this for.
        writer.write(_client_hello(origin.host) + b"\r\n\r\n")
        return await reader.read(1)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def _client_hello(host: str) -> bytes:
    sent = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    connection = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=host)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()
    raise AssertionError("a handshake without the other side")
