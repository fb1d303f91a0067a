"""Whose answer an error was: the source's, the destination's, or neither's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from replicator.errors import ReplicatorError, StoreError, TransferFailed

SOURCE: Final = "source"
DESTINATION: Final = "destination"


@contextmanager
def reading_source() -> Iterator[None]:
    """Mark what goes wrong inside as the source's, however far up it travels.

    A blob is read inside the request that sends it on; without the mark a source that breaks
    there would be taken for a destination that does. The database's failures are nobody's answer.
    """
    try:
        yield
    except (TransferFailed, StoreError):
        raise
    except ReplicatorError as error:
        raise TransferFailed(str(error), side=SOURCE) from error


def side_of(error: ReplicatorError) -> str:
    """Return the side of *error*: what carries no mark came from the destination, and nothing for
    the database's."""
    if isinstance(error, StoreError):
        return ""
    return error.side if isinstance(error, TransferFailed) else DESTINATION


def reason_of(error: ReplicatorError) -> ReplicatorError:
    """Return what a mark stands around: the error as the registry layer raised it."""
    if type(error) is TransferFailed and isinstance(error.__cause__, ReplicatorError):
        return error.__cause__
    return error


def root_of(error: ReplicatorError) -> ReplicatorError:
    """Return what an error began with: also of one that says which referrer it was about."""
    while isinstance(error, TransferFailed) and isinstance(error.__cause__, ReplicatorError):
        error = error.__cause__
    return error
