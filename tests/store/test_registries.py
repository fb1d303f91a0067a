"""Registries that the database keeps, and what becomes of secrets when they move."""

from __future__ import annotations

import pytest

from replicator.store.credentials import CredentialRecord, Credentials
from replicator.store.database import Database
from replicator.store.registries import KeptRegistries
from tests.store.values import NOON

HOST = "registry.example.com"
MOVED = {"endpoint": "https://elsewhere.example.net"}
WITH_SECRET = {"credential": {"stored": "robot"}}


@pytest.fixture
async def credentials(database: Database) -> Credentials:
    credentials = Credentials(database)
    for name, host in (("robot", HOST), ("other", "other.example.com")):
        await credentials.put(CredentialRecord(name, host, "me", b"sealed", "k", 0, NOON))
    return credentials


async def kept_secrets(credentials: Credentials) -> set[str]:
    return {each.name for each in await credentials.all() if each.sealed is not None}


@pytest.mark.parametrize(
    "steps",
    [
        [WITH_SECRET, {**WITH_SECRET, **MOVED}],
        [{**WITH_SECRET, **MOVED}],
        # First let go of the secret, then move, then take it up again.
        [WITH_SECRET, {}, MOVED, {**WITH_SECRET, **MOVED}],
        [MOVED, {**WITH_SECRET, **MOVED}],
    ],
)
async def test_no_way_leads_a_secret_to_where_its_registry_was_not(
    database: Database, credentials: Credentials, steps
) -> None:
    registries, cleared = KeptRegistries(database), []
    for settings in steps:
        cleared += await registries.put(HOST, settings)

    assert cleared == ["robot"]
    assert await kept_secrets(credentials) == {"other"}


async def test_what_is_no_move_leaves_the_secret(
    database: Database, credentials: Credentials
) -> None:
    registries = KeptRegistries(database)

    for settings in ({}, WITH_SECRET, {**WITH_SECRET, "kind": "harbor"}, {}):
        assert await registries.put(HOST, settings) == ()
    await registries.delete(HOST)

    assert await kept_secrets(credentials) == {"robot", "other"}


async def test_an_entry_that_is_deleted_takes_the_secret_for_its_address_along(
    database: Database, credentials: Credentials
) -> None:
    registries = KeptRegistries(database)
    await registries.put(HOST, MOVED)
    await credentials.put(CredentialRecord("robot", HOST, "me", b"anew", "k", 0, NOON))

    assert await registries.delete(HOST) == ("robot",)
    assert await kept_secrets(credentials) == {"other"}
