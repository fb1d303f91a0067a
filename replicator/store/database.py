"""Database: an engine whose schema is known to be right, and short transactions on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Final, Self

from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store import notices, schema
from replicator.store.database_clock import DatabaseClock
from replicator.store.engine import WRITING, create_engine, display, parse_url
from replicator.store.failures import is_locked, translated

# Of a second each, unless the URL says otherwise.
_LOCK_ATTEMPTS: Final = 5


class Database:
    """A database in use. Transactions on it are short: none is open while a registry is awaited."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet, and trust in no schema; see ``open``."""
        self._url = parse_url(url)
        self._engine = create_engine(self._url)
        self._writing_engine = self._engine.execution_options(**{WRITING: True})
        # SQLite lets one write at a time. Waiting here is fair and cheap; its own waiting
        # polls, and blocks a thread.
        self._turn = asyncio.Lock() if self.embedded else nullcontext()
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
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    @property
    def name(self) -> str:
        """What people are told it is: no password in it."""
        return display(self._url)

    @property
    def embedded(self) -> bool:
        """Whether it is a file that only processes of this machine use."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def dsn(self) -> str:
        """How the driver of a server's database is told where it is, with its password."""
        return self._url.set(drivername="postgresql").render_as_string(hide_password=False)

    def notices(self) -> AsyncIterator[str]:
        """Yield what a server tells all who use the database, without end."""
        return notices.notices(self.dsn)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads."""
        with translated(self._url):
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes; committed at the end unless an error passes."""
        async with self._turn, AsyncExitStack() as stack:
            stack.enter_context(translated(self._url))
            yield await self._begin_writing(stack)

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for changes of the schema, which is closed for good afterwards.

        It has no transaction yet. What is set on it, or locked by it, ends with it.
        """
        with translated(self._url):
            async with self._writing_engine.connect() as connection:
                try:
                    yield connection
                finally:
                    await connection.invalidate()

    async def revision(self) -> str | None:
        """Return the schema's revision; None when there is no schema yet."""
        if self._is_missing():
            return None
        async with self.reading() as connection:
            return await connection.run_sync(schema.revision)

    async def _begin_writing(self, stack: AsyncExitStack) -> AsyncConnection:
        """Begin a transaction, asking several times for SQLite's lock.

        One long wait could not be cancelled: it blocks the driver's thread.
        """
        for _ in range(_LOCK_ATTEMPTS - 1):
            try:
                return await stack.enter_async_context(self._writing_engine.begin())
            except OperationalError as error:
                if not is_locked(error):
                    raise
        return await stack.enter_async_context(self._writing_engine.begin())

    def _is_missing(self) -> bool:
        """Say whether the file does not exist; to connect to it would make it."""
        return self.embedded and not Path(self._url.database or "").exists()

    async def _prepare(self, *, upgrade: bool) -> None:
        found = await self.revision()
        if found != schema.HEAD and self.embedded and upgrade:
            await self._bring_up_to_date(found)
            found = await self.revision()
        schema.require_current(found, self.name)
        await self.clock.set()

    async def _bring_up_to_date(self, found: str | None) -> None:
        if found is None:
            async with self.writing() as connection:
                await connection.run_sync(schema.create, self.name)
            return
        # Alembic costs 0.2 s to load, and is hardly ever needed.
        from replicator.store.migrate import upgrade_schema

        await upgrade_schema(self)
