"""The registries that the client is tried against."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from replicator.embedded.server import EmbeddedRegistry
from replicator.registry.repository import Repository
from tests.registry.clients import Client, OpenClient, open_client
from tests.support.embedded import start_registry
from tests.support.faults import Faults

__all__ = ["open_client", "start_registry"]


@pytest.fixture(params=["distribution2", "distribution3", "crane_registry", "embedded"])
async def host(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The host of each kind of open registry in turn."""
    if request.param == "embedded":
        async with EmbeddedRegistry() as registry:
            yield registry.host
    else:
        yield request.getfixturevalue(request.param).host


@pytest.fixture
def client(open_client: OpenClient, host: str) -> Client:
    return open_client(host)


@pytest.fixture
def repository(client: Client) -> Repository:
    """A repository of whatever registry *client* is of."""
    return client.registry.repository("team/app")


@pytest.fixture
def faults() -> Faults:
    """What ``faulty`` does wrong; nothing at first."""
    return Faults()


@pytest.fixture
async def faulty(faults: Faults) -> AsyncIterator[EmbeddedRegistry]:
    """A registry that misbehaves as the test says."""
    async with EmbeddedRegistry(wrap=faults) as registry:
        yield registry
