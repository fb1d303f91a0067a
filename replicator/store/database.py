"""Database: one whose schema is known to be right, and short transactions on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from replicator.store import notices, schema
from replicator.store.database_clock import DatabaseClock
from replicator.store.file_url import file_url
from replicator.store.prepared.file import SqliteFile
from replicator.store.prepared.statement import NONE, Prepared, Values
from replicator.store.prepared.statements import REVISION, SCHEMA, TABLES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from replicator.store.alchemy import Alchemy
    from replicator.store.prepared.connection import Connection


class Database:
    """A database in use. Transactions on it are short: none is open while a registry is awaited.

    ``ask`` and ``noting`` carry out statements that are prepared; on a file they do without
    SQLAlchemy. ``reading`` and ``writing`` are for all others.
    """

    def __init__(self, url: str) -> None:
        """Connect to nothing yet, and trust in no schema; see ``open``. Raises StoreError."""
        self._url = url
        self._at = file_url(url)
        self._file = None if self._at is None else SqliteFile(self._at)
        # SQLite lets one write at a time. Waiting here is fair and cheap; its own waiting
        # polls, and blocks a thread.
        self._turn = asyncio.Lock() if self.embedded else nullcontext()
        # What people are told it is: no password in it.
        self.name = self.alchemy.name if self._at is None else f"database {self._at.path}"
        self.clock = DatabaseClock(self)

    @classmethod
    async def open(cls, url: str, *, upgrade: bool) -> Self:
        """Connect to *url* and make sure that its schema is the one this program knows.

        An SQLite file is created, or brought up to date, on the spot if *upgrade* is set. A
        database on a server never is: others may be using it. Raises SchemaMismatch when the
        schema is another, StoreError when the database cannot be used.
        """
        database = cls(url)
        try:
            await database._prepare(upgrade=upgrade)
        except BaseException:
            await database.aclose()
            raise
        return database

    async def aclose(self) -> None:
        """Close all connections."""
        try:
            if self._file is not None:
                await self._file.aclose()
        finally:
            if "alchemy" in vars(self):
                await self.alchemy.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    @property
    def embedded(self) -> bool:
        """Whether it is a file that only processes of this machine use."""
        return self._at is not None

    @cached_property
    def alchemy(self) -> Alchemy:
        """The same database as SQLAlchemy sees it, which costs 0.15 s to load."""
        from replicator.store.alchemy import Alchemy

        return Alchemy(self._url)

    @property
    def dsn(self) -> str:
        """How the driver of a server's database is told where it is, with its password."""
        return self.alchemy.dsn

    def notices(self) -> AsyncIterator[str]:
        """Yield what a server tells all who use the database, without end."""
        return notices.notices(self.dsn)

    async def ask(self, statement: Prepared, values: Values = NONE) -> Sequence[Any]:
        """Carry out one statement that reads, and return rows. Raises StoreError."""
        if self._file is not None:
            return await self._file.ask(statement, values)
        from replicator.store.prepared.alchemy import AlchemyTransaction

        async with self.reading() as connection:
            return await AlchemyTransaction(connection).execute(statement, values)

    @asynccontextmanager
    async def noting(self) -> AsyncIterator[Connection]:
        """Open a transaction that writes by prepared statements; see ``writing``."""
        if self._file is not None:
            async with self._turn, self._file.noting() as transaction:
                yield transaction
            return
        from replicator.store.prepared.alchemy import AlchemyTransaction

        async with self.writing() as connection:
            yield AlchemyTransaction(connection)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads."""
        async with self.alchemy.reading() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes; committed at the end unless an error passes."""
        async with self._turn, self.alchemy.writing() as connection:
            yield connection

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for changes of the schema, which is closed for good afterwards.

        It has no transaction yet. What is set on it, or locked by it, ends with it.
        """
        async with self.alchemy.migrating() as connection:
            yield connection

    async def revision(self) -> str | None:
        """Return the schema's revision; None when there is no schema yet.

        Raises SchemaMismatch when the tables are another program's.
        """
        found = await (
            self._revision_of_server() if self._file is None else self._revision_of_file(self._file)
        )
        kind = "file" if self.embedded else "database"
        schema.require_own_revision(found, self.name, kind=kind)
        return found

    async def _revision_of_server(self) -> str | None:
        from replicator.store.schema_tables import revision

        async with self.reading() as connection:
            return await connection.run_sync(revision)

    async def _revision_of_file(self, file: SqliteFile) -> str | None:
        present = frozenset[str]() if self._is_missing() else _names(await file.ask(TABLES))
        schema.require_own(present, self.name)
        if schema.VERSION_TABLE not in present:
            return None
        rows = await file.ask(REVISION)
        return str(rows[0][0]) if rows else None

    def _is_missing(self) -> bool:
        """Say whether the file does not exist; to connect to it would make it."""
        return self._at is not None and not Path(self._at.path).exists()

    async def _prepare(self, *, upgrade: bool) -> None:
        found = await self.revision()
        if found != schema.HEAD and upgrade and self._file is not None:
            await self._bring_up_to_date(self._file, found)
            found = await self.revision()
        schema.require_current(found, self.name)
        await self.clock.set()

    async def _bring_up_to_date(self, file: SqliteFile, found: str | None) -> None:
        if found is None:
            await self._make_tables(file)
            return
        # Alembic costs 0.2 s to load, and is hardly ever needed.
        from replicator.store.migrate import upgrade_schema

        await upgrade_schema(self)

    async def _make_tables(self, file: SqliteFile) -> None:
        """Make all tables in an empty file; nothing when another process just did."""
        async with self._turn, file.noting() as transaction:
            present = _names(await transaction.execute(TABLES))
            schema.require_own(present, self.name)
            if not present:
                await transaction.execute_all(SCHEMA)


def _names(rows: Sequence[Any]) -> frozenset[str]:
    return frozenset(row[0] for row in rows)
