"""INSERT … ON CONFLICT, which SQLite and PostgreSQL have in common and SQLAlchemy in two places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Table
from sqlalchemy.ext.asyncio import AsyncConnection

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

# From the columns of the row to be inserted, whether it replaces the one that is there.
Condition: TypeAlias = Callable[[Any], ColumnElement[bool]]


def upsert(
    connection: AsyncConnection, table: Table, *, where: Condition | None = None
) -> SqliteInsert | PostgresInsert:
    """Return a statement that inserts rows of *table*, or replaces those with the same key."""
    return upsert_into(connection.dialect.name, table, where=where)


def upsert_into(
    dialect: str, table: Table, *, where: Condition | None = None
) -> SqliteInsert | PostgresInsert:
    """Return the same for one kind of database."""
    statement = _insert(dialect, table)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={column.name: new[column.name] for column in table.columns if not column.primary_key},
        where=None if where is None else where(new),
    )


def in_order(table: Table, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort rows by the key of *table*.

    A server locks each row as it is written: two transactions that write the same rows in another
    order would wait for each other for ever.
    """
    return sorted(rows, key=itemgetter(*table.primary_key.columns.keys()))


def insert_new(
    connection: AsyncConnection, table: Table, column: Column[Any], among: ColumnElement[bool]
) -> SqliteInsert | PostgresInsert:
    """Return a statement that inserts rows of *table*, but none whose *column* is there already.

    There is a unique index of that column over the rows for which *among* holds.
    """
    return insert_new_into(connection.dialect.name, table, column, among)


def insert_new_into(
    dialect: str, table: Table, column: Column[Any], among: ColumnElement[bool]
) -> SqliteInsert | PostgresInsert:
    """Return the same for one kind of database."""
    statement = _insert(dialect, table)
    return statement.on_conflict_do_nothing(index_elements=[column], index_where=among)


def _insert(dialect: str, table: Table) -> SqliteInsert | PostgresInsert:
    # Each of the two costs a command 0.02 to 0.04 s to load, so only the one in use is.
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
