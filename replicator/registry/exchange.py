"""One request with a small answer, outside of the machinery that sends all others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import httpx

from replicator.registry.answers import Answer, Attempt
from replicator.registry.gate import Gate
from replicator.registry.wire import read_answer, translated

# Sends a request once, without following redirects or repeating it for its status, and without
# waiting for a place that is held by who waits for the answer. Raises what the transport raises.
Send: TypeAlias = Callable[[httpx.Request], Awaitable[httpx.Response]]

# In bytes and seconds, for the whole of an exchange.
MAX_ANSWER: Final = 64 * 1024
_SECONDS: Final = 10.0


async def exchange(send: Send, gate: Gate, request: httpx.Request, attempt: Attempt) -> Answer:
    """Send *request* to where *gate* lets it connect, and read its answer up to MAX_ANSWER.

    Raises RegistryUnavailable, TlsNotTrusted.
    """
    if (guard := gate.address_guard(request.url)) is not None:
        request.extensions["allow_address"] = guard
    with translated(attempt):
        async with asyncio.timeout(_SECONDS):
            return await read_answer(await send(request), MAX_ANSWER)
