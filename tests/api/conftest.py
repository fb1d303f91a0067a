"""A whole application on a real database, and small worlds of rules and runs in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from replicator import bootstrap
from replicator.api.v1.app import create_api
from replicator.config import Config, RegistryEntry, ServiceSettings
from replicator.office import open_office
from replicator.planning.rule import Rule
from replicator.registry.settings import CredentialSource, RegistrySettings
from replicator.service.access.identity import Identity, Role
from replicator.store.owner import Owner
from replicator.store.records import ActionError, Outcome, RunState, Totals
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from replicator.store.services import Services
from tests.store.values import HOUR, NOON, an_action

SECRET_KEY = "Zm9yIHRoZSB0ZXN0cyBvZiB0aGUgQVBJIGFsb25lISE="
SEES_ALL = Identity("ada", Role.ADMIN, None, "token")


def a_rule(name, source="docker.io/library/alpine"):
    return Rule(name, source, (f"registry.example.com/{name}/alpine",))


@pytest.fixture
def config(database_url, monkeypatch):
    monkeypatch.setenv("REPLICATOR_SECRET_KEY", SECRET_KEY)
    entry = RegistryEntry(
        RegistrySettings("registry.example.com", kind="harbor", proxy="http://u:pw@proxy:1"),
        CredentialSource("acme", password="canary-of-the-file"),
    )
    return Config(
        service=ServiceSettings(database=database_url, docker_config=False),
        registries={"registry.example.com": entry},
    )


@pytest.fixture
async def office(config, database):
    """The office of a service that is announced and carries out nothing."""
    async with bootstrap.open_serving(config) as served, open_office(config, served) as office:
        await Services(served.database, Owner.this_process(), NOON).announce(datetime.now(UTC))
        yield office


@pytest.fixture
def as_who(office):
    """Open a client of the API whose every request is somebody's."""

    @asynccontextmanager
    async def asking(who):
        async def doorman(request):
            return who

        transport = httpx.ASGITransport(create_api(office, doorman))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client

    return asking


@pytest.fixture
async def api(as_who) -> AsyncIterator[httpx.AsyncClient]:
    async with as_who(SEES_ALL) as client:
        yield client


@pytest.fixture
async def rules(database):
    for name in ("base", "team-a", "team-b"):
        await Rules(database).put(a_rule(name))


@pytest.fixture
async def runs(database):
    """The ids of finished runs of base, team-a and base, oldest first."""
    kept, made = Runs(database, Owner.this_process()), []
    for name in ("base", "team-a", "base"):
        record = await kept.start(a_rule(name), "hand", NOON)
        error = ActionError("denied", "no rights", "destination", 403, "DENIED")
        actions = [
            an_action("1.0", outcome=Outcome.WRITTEN, bytes_moved=7),
            an_action("2.0", outcome=Outcome.FAILED, error=error),
            an_action("3.0", outcome=Outcome.WRITTEN),
        ]
        await kept.save(record.id, actions)
        totals = Totals({"copied": 2, "failed": 1}, 7, 0, 0, {"docker.io": {"tags": 1}})
        await kept.finish(record.id, RunState.PARTIAL, totals, NOON + HOUR)
        made.append(record.id)
    return made
