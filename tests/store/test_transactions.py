"""Transactions on an SQLite file: whatever becomes of one, the next begins with nothing open."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from replicator.errors import StoreError
from replicator.store import schema
from replicator.store.database import Database
from replicator.store.prepared.statement import Prepared as PreparedStatement
from tests.support.command import environment


class ByAlchemy:
    """Transactions of SQLAlchemy."""

    async def write(self, database: Database, *statements: str) -> None:
        async with database.writing() as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)

    async def trace(self, database: Database, hear: Callable[[str], None]) -> None:
        async with database.reading() as connection:
            # The pool has one as long as nobody else asks.
            driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.set_trace_callback(hear)


class Prepared:
    """Transactions of statements that are prepared."""

    async def write(self, database: Database, *statements: str) -> None:
        async with database.noting() as connection:
            for statement in statements:
                await connection.execute(statement_of(statement))

    async def trace(self, database: Database, hear: Callable[[str], None]) -> None:
        await database._file._writer.visit(lambda driver: driver.set_trace_callback(hear))


def statement_of(sql: str) -> PreparedStatement:
    return PreparedStatement("some", sql)


@pytest.fixture(params=[ByAlchemy, Prepared])
def way(request: pytest.FixtureRequest) -> ByAlchemy | Prepared:
    return request.param()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    async with await Database.open(f"sqlite:///{file}", upgrade=True) as database:
        async with database.writing() as connection:
            await connection.exec_driver_sql("CREATE TABLE one (id INTEGER PRIMARY KEY)")
            await connection.exec_driver_sql(
                "CREATE TABLE two (one INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED)"
            )
        yield database


async def require_nothing_open(way: ByAlchemy | Prepared, database: Database, file: Path) -> None:
    """Make sure that others may write at once, that only the first row is there, and that the
    pool's own connection takes the next transaction."""
    other = sqlite3.connect(file, timeout=0, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert other.execute("SELECT count(*) FROM two").fetchall() == [(0,)]
    other.execute("ROLLBACK")
    other.close()

    await way.write(database, "INSERT INTO one VALUES (77)", "INSERT INTO two VALUES (77)")
    async with database.reading() as connection:
        found = await connection.exec_driver_sql("SELECT one FROM two")
        assert found.scalars().all() == [77]


async def test_a_commit_that_breaks_a_constraint_leaves_nothing_open(
    way: ByAlchemy | Prepared, database: Database, file: Path
) -> None:
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        await way.write(database, "INSERT INTO two VALUES (404)")

    await require_nothing_open(way, database, file)


async def test_a_commit_for_which_the_disk_has_no_room_leaves_nothing_open(
    way: ByAlchemy | Prepared, database: Database, file: Path
) -> None:
    def hear(begun: str) -> None:
        # What was written is still in memory: the file grows with the commit.
        if begun.startswith("COMMIT") and not full.entered:
            full.enter()

    full = FullDisk(file.with_name("some.db-wal").stat().st_size)
    await way.trace(database, hear)
    with full.left(), pytest.raises(StoreError):
        await way.write(database, "INSERT INTO one VALUES (1)", "INSERT INTO two VALUES (1)")

    await require_nothing_open(way, database, file)


class FullDisk:
    """A limit to how large this process may make a file, as long as it is entered."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.entered = False
        self._usual = resource.getrlimit(resource.RLIMIT_FSIZE)

    def enter(self) -> None:
        self.entered = True
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size, self._usual[1]))

    @contextmanager
    def left(self) -> Iterator[None]:
        """Make sure that it is left at the end."""
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._usual)


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT", "COMMIT"])
async def test_who_is_cancelled_in_the_middle_of_a_statement_leaves_nothing_open(
    way: ByAlchemy | Prepared, database: Database, file: Path, statement: str
) -> None:
    loop = asyncio.get_running_loop()

    def trace(begun: str) -> None:
        """Cancel from the driver's thread, before the statement has an outcome."""
        if begun.startswith(statement):
            loop.call_soon_threadsafe(writer.cancel)

    await way.trace(database, trace)
    writer = asyncio.create_task(way.write(database, "INSERT INTO two VALUES (404)"))
    with pytest.raises(asyncio.CancelledError):
        await writer

    await require_nothing_open(way, database, file)


async def test_each_statement_is_one_visit_with_the_versions_that_are_locked(
    database: Database,
) -> None:
    async with database.reading() as connection:
        adapted = (await connection.get_raw_connection()).dbapi_connection

    assert type(adapted).__name__ == "VisitingConnection"


_WITHOUT_A_NAME = """
import asyncio, sys
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_cursor
del AsyncAdapt_dbapi_cursor._executemany_async
from replicator.store import schema_tables
from replicator.store.database import Database
async def main():
    async with (
        await Database.open(sys.argv[1], upgrade=False) as database,
        database.reading() as connection,
    ):
        print(await connection.run_sync(schema_tables.revision))
asyncio.run(main())
"""


def test_a_library_without_the_names_that_visits_need_is_used_without_them(
    database: Database, file: Path, tmp_path: Path
) -> None:
    command = (sys.executable, "-c", _WITHOUT_A_NAME, f"sqlite:///{file}")

    done = subprocess.run(
        command, env=environment(tmp_path, {}), capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == (f"{schema.HEAD}\n", "")
