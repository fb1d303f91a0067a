"""A whole application on a real database, and small worlds of rules and runs in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from replicator.api.v1.app import PREFIX, create_api
from replicator.config import Config, RegistryEntry, ServiceSettings
from replicator.office import open_office
from replicator.registry.settings import CredentialSource, RegistrySettings
from replicator.service.identity import Identity, Role
from replicator.service.rulebook import Rulebook
from replicator.store.rules import Rules

SEES_ALL = Identity("ada", Role.ADMIN, None, "token")


def a_config(url, **registries):
    entries = {
        "registry.example.com": RegistryEntry(
            RegistrySettings("registry.example.com", kind="harbor", proxy="http://u:pw@proxy:1"),
            CredentialSource("acme", password="canary-of-the-file"),
        ),
        **registries,
    }
    return Config(service=ServiceSettings(database=url), registries=entries)


@asynccontextmanager
async def asking(config, database, who=SEES_ALL):
    """Yield a client of the API whose every request is *who*'s."""

    async def doorman(request):
        return who

    rulebook = Rulebook(Rules(database), config.rules)
    async with open_office(config, database, rulebook) as office:
        transport = httpx.ASGITransport(create_api(office, doorman))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


@pytest.fixture
async def api(database, database_url) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(a_config(database_url), database) as client:
        yield client


@pytest.fixture
def as_who(database, database_url):
    """Open a client for somebody else."""
    return lambda who: asking(a_config(database_url), database, who)


__all__ = ["PREFIX"]
