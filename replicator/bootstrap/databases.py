"""The database, for those who need one that is there, and parts that several build from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from replicator.errors import StoreError
from replicator.store.database import Database
from replicator.store.schema import require_current

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.store.runs import Runs
    from replicator.store.unfinished_uploads import UnfinishedUploads


@asynccontextmanager
async def open_database(config: Config) -> AsyncIterator[Database]:
    """Open the database; a file is made on the spot, and an older one brought up to date.

    Raises StoreError if it cannot be used.
    """
    async with await Database.open(config.service.database, upgrade=True) as database:
        yield database


@asynccontextmanager
async def open_existing(config: Config) -> AsyncIterator[Database | None]:
    """Open a database that is there; None if it is not. An older file is brought up to date."""
    async with Database(config.service.database) as database:
        missing = await database.revision() is None
    if missing:
        yield None
        return
    async with open_database(config) as database:
        yield database


@asynccontextmanager
async def open_required(config: Config, *, made_by: str = "run") -> AsyncIterator[Database]:
    """Open a database that is there. Raises StoreError, with the command that makes one.

    *made_by* makes a file; the tables of a server's database are made on purpose alone.
    """
    async with open_existing(config) as database:
        if database is None:
            _require_file(config)
            raise StoreError(f"there is no database yet; `replicate {made_by}` makes it")
        yield database


def _require_file(config: Config) -> None:
    """Raise SchemaMismatch if what is missing is not a file, but the tables of a server's."""
    database = Database(config.service.database)
    if not database.embedded:
        require_current(None, database.name)


def runs_of(database: Database) -> Runs:
    """Build what writes runs, as this process."""
    from replicator.store.owner import Owner
    from replicator.store.runs import Runs

    return Runs(database, Owner.this_process())


def unfinished_of(database: Database) -> UnfinishedUploads:
    """Build what remembers uploads that this process has begun."""
    from replicator.store.owner import Owner
    from replicator.store.unfinished_uploads import UnfinishedUploads

    return UnfinishedUploads(database, Owner.this_process(), database.clock)
