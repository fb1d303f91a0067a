"""From a failure of the database to one line that says what it means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from replicator.errors import StoreError
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
    return isinstance(error, DBAPIError) and str(error.orig) == "database is locked"


def _reason(url: URL, error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    text = " ".join(str(cause).split())[:_LONGEST]
    if url.get_backend_name() != "sqlite":
        return text
    match text:
        case "database is locked":
            return "locked by another process for too long; try again later"
        case "file is not a database":
            return "the file is not an SQLite database; choose another file, or move it away"
        case "unable to open database file":
            return f"cannot be opened: {_why_not(Path(url.database or ''))}"
        case "attempt to write a readonly database":
            return "the file is read-only; allow this user to write the file and its folder"
        case _:
            return text


def _why_not(path: Path) -> str:
    """Find out why SQLite, which does not say, could not open *path*."""
    folder = path.absolute().parent
    if path.is_dir():
        return "it is a folder"
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return "this user may not read and write it"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"this user may not write into {folder}"
    return "the system refuses it"
