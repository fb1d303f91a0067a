"""Statements on an SQLite file in one visit each to the driver's thread.

SQLAlchemy's adapter goes there four times for a statement: to make a cursor, to execute, to fetch,
and to close. Each time two threads wake up, which costs more than most of our statements do: a
seventh of the CPU of a run over many small repositories.

That takes names which neither library promises to keep. Where one is gone this module cannot be
imported, and whoever wanted it goes without.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import aiosqlite
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
)
from sqlalchemy.util import EMPTY_DICT

_PRIVATE_NAMES: Final = (
    (aiosqlite.Connection, ("_execute", "_conn")),
    (AsyncAdapt_aiosqlite_connection, ("_connection", "_cursor_cls", "_execute_mutex")),
    (
        AsyncAdapt_aiosqlite_cursor,
        (
            "_adapt_connection",
            "_async_soft_close",
            "_connection",
            "_cursor",
            "_execute_async",
            "_executemany_async",
            "_rows",
            "_soft_closed_memoized",
        ),
    ),
)
for _owner, _names in _PRIVATE_NAMES:
    for _name in _names:
        if not hasattr(_owner, _name):
            raise ImportError(f"{_owner.__name__} has no {_name} in this version")


class _Outcome(NamedTuple):
    """What SQLAlchemy asks of a cursor once its statement is executed."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """Executes a statement, takes all of its rows, and closes the real cursor, in one go."""

    __slots__ = ()

    def __init__(self, adapt_connection: AsyncAdapt_dbapi_connection) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._cursor: Any = _Outcome()
        self._soft_closed_memoized = EMPTY_DICT
        self._rows = deque()

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._visit(lambda cursor: cursor.execute(operation, parameters or ()))

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._visit(lambda cursor: cursor.executemany(operation, seq_of_parameters))

    async def _visit(self, execute: Callable[[sqlite3.Cursor], object]) -> None:
        driver: Any = self._connection
        async with self._adapt_connection._execute_mutex:
            self._cursor, self._rows = await driver._execute(_carry_out, driver._conn, execute)

    async def _async_soft_close(self) -> None:
        """Do nothing: it is closed."""

    def close(self) -> None:
        self._rows.clear()


class VisitingConnection(AsyncAdapt_aiosqlite_connection):
    """A connection of SQLAlchemy's adapter whose cursors are those above."""

    __slots__ = ()
    _cursor_cls = _Cursor


def _carry_out(
    connection: sqlite3.Connection, execute: Callable[[sqlite3.Cursor], object]
) -> tuple[_Outcome, deque[Any]]:
    """Do in the driver's thread all there is to do for a statement."""
    cursor = connection.cursor()
    try:
        execute(cursor)
        rows = deque(cursor.fetchall() if cursor.description else ())
        return _Outcome(cursor.description, cursor.rowcount, cursor.lastrowid), rows
    finally:
        cursor.close()
