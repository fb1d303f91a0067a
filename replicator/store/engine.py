"""From a database's URL, as users write it, to an engine that behaves."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import PoolResetState

from replicator.errors import StoreError
from replicator.store import tables
from replicator.store.file_url import file_url
from replicator.store.prepared.file import PRAGMAS
from replicator.store.silence import limit_silence

# Seconds that a server has to answer a connection.
_CONNECT_SECONDS: Final = 10
# To a server, at most, for each process. All of them are kept: making one costs the server more
# than ten short transactions do.
_CONNECTIONS: Final = 15

# An execution option of ours; see _begin.
WRITING: Final = "replicator_writing"

_SERVERS: Final = ("postgresql", "postgres")


def parse_url(text: str) -> URL:
    """Read ``sqlite:///FILE`` or ``postgresql://user@host/name``. Raises StoreError.

    A password never gets into the message.
    """
    file = file_url(text)
    if file is not None:
        lock = {"timeout": str(file.lock_seconds)}
        return URL.create("sqlite+aiosqlite", database=file.path, query=lock)
    scheme = text.partition("://")[0]
    if scheme not in _SERVERS:
        raise StoreError(
            f"unknown kind of database {scheme[:20]!r}; "
            "write sqlite:///FILE or postgresql://USER@HOST/NAME"
        )
    try:
        return make_url(text).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise StoreError(
            f"the URL of the {scheme} database cannot be read; a password with special "
            "characters needs them percent-encoded"
        ) from None


def display(url: URL) -> str:
    """Name the database for people: without password, port and parameters."""
    if url.get_backend_name() == "sqlite":
        return f"database {url.database}"
    return f"database {url.database or url.username} at {url.host or 'localhost'}"


def create_engine(url: URL) -> AsyncEngine:
    """Return an engine; nothing is connected yet."""
    if url.get_backend_name() != "sqlite":
        # Only a service needs the second, but migrations must see them all.
        from replicator.store import work_tables

        tables.complete_for_postgresql()
        work_tables.complete_for_postgresql()
        engine = create_async_engine(
            url,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                "application_name": "replicate",
            },
        )
        event.listen(engine.sync_engine, "connect", limit_silence)
        return engine
    # Nearly every transaction has ended before its connection goes back, and the pool would ask the
    # driver's thread to roll back each time; see _reset.
    engine = create_async_engine(url, pool_reset_on_return=None)
    event.listen(engine.sync_engine.pool, "reset", _reset)
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "connect", _set_up)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _connect(dialect: Any, record: object, arguments: list[Any], options: Any) -> Any:
    """Open a file, and fail here, not in the driver's thread, when that cannot be done.

    That thread reports once more after the failure, by when the event loop may be gone, and
    then prints a trace. (aiosqlite 0.22)
    """
    sqlite3.connect(arguments[0]).close()
    connection = dialect.connect(*arguments, **options)
    try:
        from replicator.store.visits import VisitingConnection
    except ImportError:
        # Slower, but right, with versions of the libraries that came after this one.
        return connection
    return VisitingConnection(dialect.loaded_dbapi, connection.driver_connection)


def _reset(connection: Any, record: object, state: PoolResetState) -> None:
    """Roll back what is open when a connection goes back: a COMMIT that failed leaves that."""
    if not state.terminate_only and connection.driver_connection.in_transaction:
        connection.rollback()


def _set_up(connection: Any, record: object) -> None:
    """Prepare a new SQLite connection; the driver's own BEGIN comes too late and without a lock."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Take the lock with the first statement when the transaction is going to write.

    A transaction that first reads and then wants to write fails at once when another process
    wrote in between, however long it is ready to wait.
    """
    writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
