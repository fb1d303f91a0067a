"""Bringing a schema up to date, with Alembic: loaded by the few commands that need it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

# The last two register tables with the schema that `check` compares a database with.
from replicator.store import operating_tables, schema, work_tables  # noqa: F401
from replicator.store.database import Database
from replicator.store.tables import metadata

# In a checkout a link to migrations/ at the top; in an installed package the files themselves.
MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"

# PostgreSQL's advisory locks share one space of numbers in a database; this is ours.
_LOCK: Final = 7_267_110_301
# In seconds; how long a migrator of a file waits for another one to finish.
_PATIENCE: Final = 60


async def upgrade(url: str) -> str:
    """Bring the schema of a database up to date, making it if need be; returns its revision.

    Raises SchemaMismatch when it is newer than this program, or another program's.
    """
    async with Database(url) as database:
        await upgrade_schema(database)
    return schema.HEAD


async def current(url: str) -> str | None:
    """Return the revision that a database is at; None when it has no schema yet."""
    async with Database(url) as database:
        return await database.revision()


async def check(url: str) -> tuple[str, ...]:
    """Return the differences between a database and what this program expects, as text.

    Raises SchemaMismatch when it is not even at the right revision.
    """
    async with Database(url) as database:
        schema.require_current(await database.revision(), database.name)
        async with database.reading() as connection:
            return await connection.run_sync(differences)


async def upgrade_schema(database: Database) -> None:
    """Bring a schema up to date. Of two processes that try at once, one does it."""
    schema.require_known(await database.revision(), database.name)
    await migrate(database, lambda config: command.upgrade(config, "head"))


async def migrate(database: Database, step: Callable[[Config], None]) -> None:
    """Carry out one of Alembic's commands while nobody else migrates this database."""
    async with database.migrating() as connection:
        if database.embedded:
            await _lock_file(connection)
            tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
            schema.require_own(tables, database.name)
        else:
            await _lock_server(connection)
        await connection.run_sync(lambda sync: step(_config(sync)))
        await connection.commit()


def differences(connection: Connection) -> tuple[str, ...]:
    """Compare the tables that are there with those of ``tables.py``."""
    context = MigrationContext.configure(connection, opts={"include_name": _is_ours})
    return tuple(map(_describe, compare_metadata(context, metadata)))


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    """Leave out the tables of the carrier of messages, which are another project's."""
    return kind != "table" or name is None or not name.startswith("procrastinate_")


async def _lock_file(connection: AsyncConnection) -> None:
    """Begin one transaction for all migrations: SQLite has no lock that would span several.

    Foreign keys are off in it, which has to be said before it begins: to change a table, SQLite
    makes it anew and drops the old one, and the rows that refer to it must not go with it.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.execute("PRAGMA foreign_keys = OFF")
    await driver.execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000}")
    await connection.begin()


async def _lock_server(connection: AsyncConnection) -> None:
    """Take the lock that all migrators ask for; each migration has its own transaction.

    The lock timeout is for the tables: a migration that waits for one makes all others, who
    come after it, wait as well.
    """
    await connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
    await connection.execute(text("SET lock_timeout = '10s'"))
    # A migration may have much to think about between two statements.
    await connection.execute(text("SET idle_in_transaction_session_timeout = 0"))
    await connection.commit()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _describe(difference: Any) -> str:
    """Name one difference; a changed column is a list of them, of which one says enough."""
    if isinstance(difference, list):
        kind, _, table, column = difference[0][:4]
        return f"{kind} {table}.{column}"
    kind, *subject = difference
    names = [str(getattr(each, "name", each)) for each in subject if each is not None]
    return " ".join((kind, ".".join(names)))
