"""Time by the database's clock: also between two looks at it, and never ahead of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from replicator.store.database import Database
from replicator.store.database_clock import DatabaseClock
from replicator.store.moments import database_time
from tests.support.postgres import Postgres


class Monotonic:
    """Seconds that a test lets pass; each look at them takes *delay*."""

    def __init__(self) -> None:
        self.seconds, self.delay = 1000.0, 0.0

    def __call__(self) -> float:
        self.seconds += self.delay
        return self.seconds


@pytest.fixture
def monotonic() -> Monotonic:
    return Monotonic()


@pytest.fixture
async def server(postgres_server: Postgres, postgres_template: str) -> AsyncIterator[Database]:
    name = postgres_server.create_database(template=postgres_template)
    async with await Database.open(postgres_server.url(name), upgrade=False) as database:
        yield database


async def time_of(database: Database) -> datetime:
    async with database.reading() as connection:
        return await database_time(connection)


async def test_between_two_looks_it_goes_as_the_clock_that_nobody_sets(
    server: Database, monotonic: Monotonic
) -> None:
    clock = DatabaseClock(server, monotonic=monotonic)
    before = await time_of(server)
    await clock.set()
    after = await time_of(server)

    first = clock()
    monotonic.seconds += 3600

    assert before <= first <= after
    assert clock() - first == timedelta(hours=1)


async def test_an_answer_that_took_long_is_not_believed_if_there_was_a_better_one(
    server: Database, monotonic: Monotonic
) -> None:
    clock = DatabaseClock(server, monotonic=monotonic)
    await clock.set()
    first = clock()

    monotonic.delay = 30.0
    await clock.set()
    monotonic.delay = 0.0

    assert clock() - first == timedelta(seconds=60)


async def test_an_open_database_knows_the_time_without_being_asked(database: Database) -> None:
    before, now, after = await time_of(database), database.clock(), await time_of(database)

    # Behind by what the answer took when the database was opened, on a machine that may be busy.
    assert before - timedelta(seconds=30) < now <= after


async def test_nobody_has_to_be_asked_as_long_as_there_is_nobody(tmp_path) -> None:
    clock = Database(f"sqlite:///{tmp_path}/replicator.db").clock
    await clock.set()

    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=1)
