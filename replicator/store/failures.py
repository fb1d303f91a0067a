"""From a failure of the database to one line that says what it means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from replicator.errors import StoreError
from replicator.store import file_failures
from replicator.store.engine import display

_LONGEST: Final = 300


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn SQLAlchemy's exceptions into StoreError; the only place that does."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"{display(url)}: {_reason(url, error)}") from error


def is_locked(error: SQLAlchemyError) -> bool:
    """Say whether SQLite's lock was not to be had in time."""
    return isinstance(error, DBAPIError) and file_failures.is_locked(error.orig)


def _reason(url: URL, error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if url.get_backend_name() == "sqlite":
        return file_failures.reason(url.database or "", cause)
    return " ".join(str(cause).split())[:_LONGEST]
