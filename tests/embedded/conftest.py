"""A registry for each test, on each kind of storage, and a client for it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from replicator.embedded.directory import DirectoryStorage
from replicator.embedded.memory import MemoryStorage
from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.storage import Storage
from tests.support.embedded import start_registry

__all__ = ["start_registry"]

_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture(params=["memory", "directory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return MemoryStorage() if request.param == "memory" else DirectoryStorage(tmp_path / "registry")


@pytest.fixture
async def registry(storage: Storage) -> AsyncIterator[EmbeddedRegistry]:
    async with EmbeddedRegistry(storage) as registry:
        yield registry


@pytest.fixture
async def http(registry: EmbeddedRegistry) -> AsyncIterator[httpx.AsyncClient]:
    # Without a context httpx reads all the world's certificates again for each test.
    async with httpx.AsyncClient(base_url=registry.url, verify=_TRUSTS_NOBODY) as http:
        yield http
