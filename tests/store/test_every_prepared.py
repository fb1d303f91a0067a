"""Every prepared statement is understood by both kinds of databases, with the values it names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from sqlalchemy import Boolean, Integer
from sqlalchemy.dialects import sqlite

from replicator.errors import StoreError
from replicator.store.database import Database
from replicator.store.prepared import statements
from replicator.store.prepared.sources import sources
from replicator.store.prepared.sources.source import Source
from replicator.store.tables import JSON, UtcDateTime
from tests.store.values import NOON

OF_FILES = {"TABLES", "REVISION"}
OF_TYPES = {UtcDateTime: NOON, JSON: {"some": "document"}, Boolean: True, Integer: 1}
WITHOUT_TYPE = {"keys": "[]", "limit": 1}


class UndoneError(Exception):
    """Ends a transaction of which nothing is to stay."""


async def test_each_is_carried_out_with_values_for_what_it_names(database: Database) -> None:
    refused = [
        (name, str(error))
        for name in sorted(set(sources("sqlite")) - OF_FILES)
        async for error in refusals(database, name, dict(values_of(sources("sqlite")[name])))
    ]

    # The values are no row's: a constraint may refuse them, but only that.
    assert [each for each in refused if "constraint" not in each[1].casefold()] == []


async def refusals(
    database: Database, name: str, values: dict[str, Any]
) -> AsyncIterator[StoreError]:
    try:
        async with database.noting() as connection:
            await connection.execute(getattr(statements, name), values)
            raise UndoneError
    except UndoneError:
        pass
    except StoreError as error:
        yield error


def values_of(source: Source) -> Iterator[tuple[str, Any]]:
    if source.statement is None:
        yield "what", "rules"
        return
    compiled: Any = source.statement.compile(  # type: ignore[attr-defined]
        dialect=sqlite.dialect(), column_keys=list(source.columns) or None
    )
    for name, bind in compiled.binds.items():
        if bind.required:
            yield name, ["a"] if bind.expanding else value_of(name, bind.type)


def value_of(name: str, type_: object) -> Any:
    of_type = (value for cls, value in OF_TYPES.items() if isinstance(type_, cls))
    return WITHOUT_TYPE.get(name) or next(of_type, "a")
