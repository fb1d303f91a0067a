"""An evil registry, a sinkhole, and the client between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx
import pytest

from replicator.registry.client import Registry, open_registry
from replicator.registry.keychain import Given
from replicator.registry.retry import Clock
from replicator.registry.settings import Credentials, RegistrySettings, Timeouts
from tests.registry.evil.servers import PASSWORD, Evil, Sinkhole, evil_registry, sinkhole

ALICE = Credentials("alice", PASSWORD)

Connect = Callable[..., Registry]


@pytest.fixture
async def evil() -> AsyncIterator[Evil]:
    async with evil_registry() as server:
        yield server


@pytest.fixture
async def hole() -> AsyncIterator[Sinkhole]:
    async with sinkhole() as server:
        yield server


@pytest.fixture
async def connect(evil: Evil) -> AsyncIterator[Connect]:
    """Open the client of a registry, that of `evil` unless another is named."""

    async def no_sleep(seconds: float) -> None:
        """Do not wait before a repetition."""

    async with AsyncExitStack() as stack:

        def open_client(
            credentials: Credentials | None = ALICE,
            *,
            name: str = "",
            transport: httpx.AsyncBaseTransport | None = None,
            **settings: object,
        ) -> Registry:
            options = {
                "plain_http": evil.scheme == "http",
                "retries": 1,
                "longest_wait": timedelta(seconds=1),
                "timeouts": Timeouts(connect=5, idle=5, closing=5),
            } | settings
            registry = open_registry(
                RegistrySettings(name or evil.host, **options),
                keychain=Given(name or evil.host, credentials),
                clock=Clock(sleep=no_sleep),
                transport=transport,
            )
            stack.push_async_callback(registry.aclose)
            return registry

        yield open_client
