"""From a failure of SQLite to one line that says what it means."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from replicator.errors import StoreError

_LONGEST: Final = 300


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn the driver's exceptions into StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"database {path}: {reason(path, error)}") from error


def is_locked(error: BaseException | None) -> bool:
    """Say whether SQLite's lock was not to be had in time."""
    return str(error) == "database is locked"


def reason(path: str, error: BaseException) -> str:
    """Say why SQLite could not do something with the file at *path*."""
    match text := " ".join(str(error).split())[:_LONGEST]:
        case "database is locked":
            return "locked by another process for too long; try again later"
        case "file is not a database":
            return "the file is not an SQLite database; choose another file, or move it away"
        case "unable to open database file":
            return f"cannot be opened: {_why_not(Path(path))}"
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
