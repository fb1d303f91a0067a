"""SqliteFile: prepared statements on a file, without SQLAlchemy."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from replicator.errors import StoreError
from replicator.store.file_failures import is_locked, translated
from replicator.store.file_url import FileUrl
from replicator.store.prepared.statement import NONE, Prepared, Row, Values

_T = TypeVar("_T")

# How often SQLite's lock is asked for, waiting as long as the URL says each time.
LOCK_ATTEMPTS: Final = 5
# WAL lets others read while one writes; with it, NORMAL is safe against corruption, and only the
# last commits may be lost when the machine, not the process, dies.
PRAGMAS: Final = ("foreign_keys = ON", "journal_mode = WAL", "synchronous = NORMAL")


class SqliteFile:
    """A file in use, by one connection that reads and one that writes, each with its thread.

    So a question never sees what a transaction of this process has not committed, and does not
    wait for the lock of another process.
    """

    def __init__(self, url: FileUrl) -> None:
        """Connect to nothing yet; the first question makes a file that does not exist."""
        self._url = url
        # Who only reads changes nothing, not even of a file that turns out to be another program's.
        self._reader, self._writer = _Driver(url, pragmas=()), _Driver(url, pragmas=PRAGMAS)

    async def ask(self, statement: Prepared, values: Values = NONE) -> Sequence[Row]:
        """Carry out one statement that reads. Raises StoreError."""
        with translated(self._url.path):
            return await self._reader.visit(
                lambda connection: _carry_out(connection, statement, values)
            )

    @asynccontextmanager
    async def noting(self) -> AsyncIterator[FileTransaction]:
        """Open a transaction that writes; committed at the end unless an error passes.

        Whoever calls it takes care that there is one at a time. Raises StoreError.
        """
        with translated(self._url.path):
            try:
                await self._begin()
                yield FileTransaction(self._writer)
                await self._writer.visit(sqlite3.Connection.commit)
            except BaseException:
                await self._writer.roll_back()
                raise

    async def aclose(self) -> None:
        """Close the connections, once what was sent is done; nothing is done afterwards."""
        try:
            await self._reader.aclose()
        finally:
            await self._writer.aclose()

    async def _begin(self) -> None:
        """Take SQLite's lock, asking several times for it.

        One long wait could not be cancelled: it blocks the thread. The lock is taken at once, as
        a transaction that first reads and then wants to write fails when another process wrote in
        between, however long it is ready to wait.
        """
        for _ in range(LOCK_ATTEMPTS - 1):
            try:
                await self._writer.visit(_begin)
                return
            except sqlite3.OperationalError as error:
                if not is_locked(error):
                    raise
        await self._writer.visit(_begin)


class FileTransaction:
    """A transaction that is open; see ``Connection``."""

    def __init__(self, driver: _Driver) -> None:
        self._driver = driver

    async def execute(self, statement: Prepared, values: Values = NONE) -> Sequence[Row]:
        if not statement.sql:
            return ()
        return await self._driver.visit(
            lambda connection: _carry_out(connection, statement, values)
        )

    async def execute_all(self, statements: Sequence[str]) -> None:
        """Carry out what has no values, such as what makes tables."""
        script = tuple(statements)
        await self._driver.visit(lambda connection: [connection.execute(each) for each in script])


class _Driver:
    """A connection and the only thread that uses it; both are there from the first visit on."""

    def __init__(self, url: FileUrl, *, pragmas: Sequence[str]) -> None:
        self._url = url
        self._pragmas = pragmas
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None
        self._closing: Future[None] | None = None

    async def visit(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do *work* in the thread. Who is cancelled meanwhile cannot know whether it was done."""
        if self._closing is not None:
            # Another connection would do the second half of a transaction without the first.
            raise StoreError(f"database {self._url.path} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    async def roll_back(self) -> None:
        """Leave no transaction open, also when the wait for it is cancelled."""
        if self._closing is None:
            await _done(self._thread.submit(self._roll_back))

    async def aclose(self) -> None:
        """Close the connection, also when the wait for it is cancelled."""
        if self._closing is None:
            self._closing = self._thread.submit(self._close)
            self._thread.shutdown(wait=False)
        await _done(self._closing)

    def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._connection is None:
            self._connection = _connect(self._url, self._pragmas)
        return work(self._connection)

    def _roll_back(self) -> None:
        if self._connection is not None:
            self._connection.rollback()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


async def _done(work: Future[None]) -> None:
    """Wait for *work*, which no cancellation stops."""
    await asyncio.shield(asyncio.wrap_future(work))


def _connect(url: FileUrl, pragmas: Sequence[str]) -> sqlite3.Connection:
    # The driver's own BEGIN comes too late and without a lock.
    connection = sqlite3.connect(url.path, url.lock_seconds, isolation_level=None)
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")


def _carry_out(
    connection: sqlite3.Connection, statement: Prepared, values: Values
) -> Sequence[Row]:
    """Do in the thread all there is to do for a statement."""
    if isinstance(values, dict):
        found = connection.execute(statement.sql_for(values), statement.bind(values))
        return list(map(statement.read, found.fetchall()))
    if statement.returns_rows:
        return [row for each in values for row in _carry_out(connection, statement, each)]
    connection.executemany(statement.sql, map(statement.bind, values))
    return ()
