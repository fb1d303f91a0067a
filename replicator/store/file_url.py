"""The URL of a database that is a file."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from replicator.errors import StoreError

_SCHEME: Final = "sqlite"
# Seconds that one attempt at SQLite's lock lasts, unless the URL says ?timeout=…
_LOCK_SECONDS: Final = "1"
# SQLite counts them in milliseconds, and no further than this.
_LONGEST: Final = 2_000_000


class FileUrl(NamedTuple):
    """Where the file is, and how many seconds one attempt at its lock lasts."""

    path: str
    lock_seconds: float


def file_url(text: str) -> FileUrl | None:
    """Read ``sqlite:///FILE``; None if the database is no file. Raises StoreError."""
    scheme, _, rest = text.partition("://")
    if scheme != _SCHEME:
        return None
    place, _, query = rest.partition("?")
    host, _, path = place.partition("/")
    if host or path in ("", ":memory:"):
        raise StoreError("an SQLite database needs a file: sqlite:///FILE")
    options = dict(parse_qsl(query, keep_blank_values=True))
    seconds = _seconds(options.pop("timeout", _LOCK_SECONDS))
    if options:
        raise StoreError(
            f"the URL of an SQLite database has no parameter {next(iter(options))!r}; "
            "the only one is ?timeout=SECONDS"
        )
    return FileUrl(path, seconds)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST:
        raise StoreError(
            f"in the URL of the SQLite database timeout={text!r} is not a number of seconds"
        )
    return seconds
