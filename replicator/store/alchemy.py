"""Alchemy: short transactions of SQLAlchemy on one database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.engine import WRITING, create_engine, display, parse_url
from replicator.store.failures import is_locked, translated
from replicator.store.prepared.file import LOCK_ATTEMPTS


class Alchemy:
    """An engine, and transactions on it."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet. Raises StoreError when *url* cannot be read."""
        self._url = parse_url(url)
        self.engine = create_engine(self._url)
        self._writing_engine = self.engine.execution_options(**{WRITING: True})

    async def aclose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    @property
    def name(self) -> str:
        """What people are told it is: no password in it."""
        return display(self._url)

    @property
    def dsn(self) -> str:
        """How the driver of a server's database is told where it is, with its password."""
        return self._url.set(drivername="postgresql").render_as_string(hide_password=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads."""
        with translated(self._url):
            async with self.engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes; committed at the end unless an error passes."""
        async with AsyncExitStack() as stack:
            stack.enter_context(translated(self._url))
            yield await self._begin_writing(stack)

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for changes of the schema; see ``Database.migrating``."""
        with translated(self._url):
            async with self._writing_engine.connect() as connection:
                try:
                    yield connection
                finally:
                    await connection.invalidate()

    async def _begin_writing(self, stack: AsyncExitStack) -> AsyncConnection:
        """Begin a transaction, asking several times for SQLite's lock, as ``SqliteFile`` does."""
        for _ in range(LOCK_ATTEMPTS - 1):
            try:
                return await stack.enter_async_context(self._writing_engine.begin())
            except OperationalError as error:
                if not is_locked(error):
                    raise
        return await stack.enter_async_context(self._writing_engine.begin())
