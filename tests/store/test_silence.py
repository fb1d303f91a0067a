"""Who falls silent in a transaction keeps nothing from others for long."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, text

from replicator.errors import StoreError
from replicator.store.database import Database
from replicator.store.rules import Rules
from replicator.store.tables import rule
from tests.store.values import a_rule
from tests.support.postgres import Postgres

LOCKED = select(rule.c.name).with_for_update()


@pytest.fixture
async def database(postgres_server: Postgres, postgres_template: str) -> AsyncIterator[Database]:
    name = postgres_server.create_database(template=postgres_template)
    async with await Database.open(postgres_server.url(name), upgrade=False) as opened:
        await Rules(opened).put(a_rule())
        yield opened


async def test_what_a_silent_process_has_locked_is_free_after_seconds(database: Database) -> None:
    async with database.reading() as connection:
        limit = await connection.scalar(text("SHOW idle_in_transaction_session_timeout"))

    with pytest.raises(StoreError):
        await be_silent(database)

    assert limit == "10s"
    assert len(await Rules(database).all()) == 1


async def be_silent(database: Database) -> None:
    """Lock a row, and say no word until somebody else has it."""
    async with database.writing() as silent:
        await silent.execute(text("SET LOCAL idle_in_transaction_session_timeout = '50ms'"))
        await silent.execute(LOCKED)
        async with database.writing() as other:
            assert await other.scalar(LOCKED) == a_rule().name
        await silent.execute(LOCKED)
