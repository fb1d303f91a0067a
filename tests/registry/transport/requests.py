"""Requests of tests, in few words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx

# Nothing on loopback takes that long; it keeps a test that fails from hanging.
PATIENCE = {"connect": 20.0, "read": 20.0, "write": 20.0, "pool": 20.0}


async def send(
    transport: httpx.AsyncBaseTransport, method: str, url: str, *, limits: Any = None, **more: Any
) -> httpx.Response:
    """Send a request; the answer's body is still to be read."""
    extensions = {"timeout": PATIENCE | (limits or {})} | more.pop("extensions", {})
    request = httpx.Request(method, url, extensions=extensions, **more)
    return await transport.handle_async_request(request)


async def fetch(transport: httpx.AsyncBaseTransport, url: str, **more: Any) -> bytes:
    """GET *url* and return the whole body."""
    return await (await send(transport, "GET", url, **more)).aread()


async def pieces_of(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
