"""Source: a statement in SQLAlchemy's words."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Executable, Table


class Source(NamedTuple):
    """A statement, and the columns it gives values to, as far as it does not name them itself.

    There is none where the kind of database needs no such statement.
    """

    statement: Executable | None
    columns: tuple[str, ...] = ()


def row_of(table: Table, without: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of the columns of *table*."""
    return tuple(column.name for column in table.columns if column.name not in without)
