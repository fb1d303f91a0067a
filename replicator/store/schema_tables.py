"""The tables as SQLAlchemy makes them, and finds them on a server."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine.mock import MockConnection

# The last two register their tables with the schema.
from replicator.store import operating_tables, work_tables  # noqa: F401
from replicator.store.schema import HEAD, VERSION_TABLE
from replicator.store.tables import metadata

# As Alembic writes it.
_VERSION: Final = (
    f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
    f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))",
    f"INSERT INTO {VERSION_TABLE} VALUES ('{HEAD}')",  # noqa: S608
)


def revision(connection: Connection) -> str | None:
    """Return the revision that the database is at; None when it has none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return None if found is None else str(found)


def create(connection: Connection | MockConnection) -> None:
    """Make all tables in an empty database.

    A test proves that the result is what the migrations make.
    """
    metadata.create_all(connection, checkfirst=False)
    for statement in _VERSION:
        connection.execute(text(statement))
