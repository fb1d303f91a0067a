"""The transports under test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx
import pytest

from replicator.registry.transport import Http1Transport
from replicator.registry.transport.loop import new_event_loop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what is ours on both event loops, and the contract on the one that we use."""
    if {"transport", "make_transport"} & set(getattr(item, "fixturenames", ())):
        return {"uvloop": new_event_loop}
    return {"uvloop": new_event_loop, "asyncio": asyncio.SelectorEventLoop}


@pytest.fixture
async def ours() -> AsyncIterator[Http1Transport]:
    async with Http1Transport() as transport:
        yield transport


@pytest.fixture(params=["ours", "httpx"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Each transport that the registry layer may stand on."""
    async with Http1Transport() if request.param == "ours" else httpx.AsyncHTTPTransport() as one:
        yield one


@pytest.fixture(params=["ours", "httpx"])
def make_transport(
    request: pytest.FixtureRequest,
) -> Callable[..., httpx.AsyncBaseTransport]:
    """Make a transport that checks certificates with a given context, or has few connections."""

    def make(ssl_context: Any = None, max_connections: int = 10) -> httpx.AsyncBaseTransport:
        if request.param == "ours":
            return Http1Transport(ssl_context=ssl_context, max_connections=max_connections)
        limits = httpx.Limits(max_connections=max_connections)
        return httpx.AsyncHTTPTransport(
            verify=True if ssl_context is None else ssl_context, limits=limits
        )

    return make
