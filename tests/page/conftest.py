"""The page on a real database, and browsers without a screen that hold cookies and send forms."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from replicator import bootstrap
from replicator.config import Config, RegistryEntry, ServiceSettings
from replicator.errors import NotAuthenticated
from replicator.office import open_office
from replicator.page.app import create_page
from replicator.registry.settings import CredentialSource, RegistrySettings
from replicator.service.access.identity import Identity, Role
from replicator.store.owner import Owner
from replicator.store.services import Services
from tests.page.world import HARBOR
from tests.support.embedded import start_registry

__all__ = ["start_registry"]

SECRET_KEY = "Zm9yIHRoZSB0ZXN0cyBvZiB0aGUgcGFnZSBhbG9uZSE="
ORIGIN = "http://replicate.test"
ADMIN = Identity("ada", Role.ADMIN, None, "token")
OPERATOR = Identity("olga", Role.OPERATOR, None, "token")
VIEWER = Identity("vera", Role.VIEWER, None, "token")
LIMITED = Identity("theo", Role.ADMIN, ("team-*",), "token")
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@pytest.fixture
def config(database_url, monkeypatch):
    monkeypatch.setenv("REPLICATOR_SECRET_KEY", SECRET_KEY)
    entry = RegistryEntry(
        RegistrySettings(HARBOR, kind="harbor", proxy="http://u:canary-of-the-proxy@proxy:1"),
        CredentialSource("acme", password="canary-of-the-file"),
    )
    return Config(
        service=ServiceSettings(database=database_url, docker_config=False),
        registries={HARBOR: entry},
    )


@pytest.fixture
async def office(config, database):
    """The office of a service that is announced and carries out nothing."""
    async with bootstrap.open_serving(config) as served, open_office(config, served) as office:
        await Services(served.database, Owner.this_process(), datetime.now(UTC)).announce(
            datetime.now(UTC)
        )
        yield office


class Browser:
    """Asks for pages as a browser does; a form carries what the page before it had."""

    def __init__(self, client):
        self.client = client
        self.csrf = ""

    async def get(self, path, **headers):
        answer = await self.client.get(path, headers=headers)
        if found := _CSRF.search(answer.text):
            self.csrf = found[1]
        return answer

    async def post(self, path, *, origin=ORIGIN, **fields):
        headers = {} if origin is None else {"Origin": origin}
        data = {"csrf": self.csrf, **fields}
        return await self.client.post(path, data=data, headers=headers)


@pytest.fixture
def browsing(office):
    """Open a browser: of somebody who need not sign in, or with None of anybody."""

    @asynccontextmanager
    async def open_browser(who, clock=lambda: datetime.now(UTC), of=office):
        async def knows(request):
            if who is None:
                raise NotAuthenticated("who is there?")
            return who

        transport = httpx.ASGITransport(create_page(of, knows, clock))
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield Browser(client)

    return open_browser
