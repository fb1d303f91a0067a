"""Is the schema of a database the one this program knows? Answered without loading Alembic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, inspect, text

from replicator.errors import SchemaMismatch
from replicator.store.tables import metadata

# Every revision that a database may be at, oldest first; a test compares it with migrations/.
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0011", "0012", "0008")
HEAD: Final = REVISIONS[-1]

_VERSION_TABLE: Final = "alembic_version"


def revision(connection: Connection) -> str | None:
    """Return the revision that the database is at; None when it has none."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))  # noqa: S608
    return None if found is None else str(found)


def require_known(
    found: str | None, database: str, *, revisions: Sequence[str] = REVISIONS
) -> None:
    """Raise SchemaMismatch when a newer program made the schema."""
    if found is not None and found not in revisions:
        raise SchemaMismatch(
            f"{database} was made by a newer version of replicate (its schema is {found}, "
            f"this version knows up to {revisions[-1]}); use that version"
        )


def require_current(
    found: str | None, database: str, *, revisions: Sequence[str] = REVISIONS
) -> None:
    """Raise SchemaMismatch, naming the way out, unless the schema is this program's."""
    require_known(found, database, revisions=revisions)
    if found is None:
        raise SchemaMismatch(f"{database} has no tables yet; run `replicate db upgrade`")
    if found != revisions[-1]:
        raise SchemaMismatch(
            f"{database} has the older schema {found}, this version needs {revisions[-1]}; "
            "run `replicate db upgrade`"
        )


def require_own(connection: Connection, database: str) -> None:
    """Raise SchemaMismatch when a file has tables, but not those of this program."""
    tables = inspect(connection).get_table_names()
    if tables and _VERSION_TABLE not in tables:
        raise SchemaMismatch(f"{database} holds the tables of another program; choose another file")


def create(connection: Connection, database: str) -> None:
    """Make all tables in an empty file; nothing when another process just did.

    Saves the 0.2 s that Alembic costs the very first command; a test proves that the result is
    what the migrations make.
    """
    # They belong to the same schema, and register themselves with it.
    from replicator.store import operating_tables, work_tables  # noqa: F401

    require_own(connection, database)
    if revision(connection) is not None:
        return
    metadata.create_all(connection, checkfirst=False)
    # As Alembic writes it.
    connection.execute(
        text(
            f"CREATE TABLE {_VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {_VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text(f"INSERT INTO {_VERSION_TABLE} VALUES ('{HEAD}')"))  # noqa: S608
