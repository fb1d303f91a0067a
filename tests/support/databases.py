"""Fixtures: a database of each supported kind, empty or ready for use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from replicator.store import migrate
from replicator.store.database import Database
from tests.support.postgres import Postgres, postgres

_KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres) -> str:
    """The name of a database with our schema, to be copied: much faster than migrating anew."""
    name = postgres_server.create_database()
    asyncio.run(migrate.upgrade(postgres_server.url(name)))
    return name


@pytest.fixture(params=_KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any schema; the SQLite file does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/replicator.db"
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.url(server.create_database())


@pytest.fixture(params=_KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that can be opened; the SQLite file is made by opening it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/replicator.db"
    server: Postgres = request.getfixturevalue("postgres_server")
    template: str = request.getfixturevalue("postgres_template")
    return server.url(server.create_database(template=template))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database; when the test is over, no connection of it may be in use."""
    async with await Database.open(database_url, upgrade=True) as opened:
        yield opened
        pool = opened.alchemy.engine.sync_engine.pool
        assert pool.checkedout() == 0, pool.status()
