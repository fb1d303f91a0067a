"""Starting fakes, and reading what is listed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.registry.clients import open_client
from tests.support.embedded import start_registry

__all__ = ["open_client", "start_registry"]


@pytest.fixture
async def start() -> AsyncIterator[object]:
    """Starts a fake's registries, which end with the test."""
    async with AsyncExitStack() as stack:

        async def start_one(registry):
            return await stack.enter_async_context(registry)

        yield start_one


async def observed(repository):
    """What a repository's tags name, as listed."""
    return {each.tag: each.digest async for page in repository.observe_tags() for each in page}


async def paths(registry, under=""):
    return [path async for page in registry.list_repositories(under) for path in page]
