"""PullBudgets: what is left of limits on pulls, for all processes that are counted together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from replicator.errors import StoreError
from replicator.store.database import Database
from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statements import (
    ALL_PULLS,
    NOTE_PULLS,
    PULLS_LEFT,
    TAKE_PULL,
)
from replicator.values import dataclass

_log = logging.getLogger(__name__)

# After so long somebody may look again what is left, which is free.
_BELIEVED: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class PullsLeft:
    """What was left of a limit on pulls, and when that was said."""

    number: int
    at: datetime


class PullBudgets:
    """Satisfies the registries' SharedPulls. While the database is away each process counts alone.

    An answer does not know of pulls that others have taken and not made yet. So of what is known
    for less than a minute, the least counts.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def all(self) -> dict[str, PullsLeft]:
        """Return what was last said to be left at each registry, the least of several accounts."""
        return {
            row.registry: PullsLeft(row.remaining, row.noted_at)
            for row in await self._database.ask(ALL_PULLS)
        }

    async def note(self, registry: str, source: str, left: int) -> None:
        with _tolerated():
            async with self._database.noting() as connection:
                known = await self._left(connection, registry, source)
                row = {
                    "registry": registry,
                    "source": source,
                    "remaining": left if known is None else min(left, known),
                    "noted_at": self._clock(),
                }
                await connection.execute(NOTE_PULLS, row)

    async def take(self, registry: str, source: str, *, reserve: int) -> int | None:
        left: int | None = None
        with _tolerated():
            async with self._database.noting() as connection:
                left = await self._left(connection, registry, source)
                if left is not None and left > reserve:
                    await connection.execute(TAKE_PULL, _limit(registry, source))
        return left

    async def _left(self, connection: Connection, registry: str, source: str) -> int | None:
        """Return what is left, None if nobody heard of it lately; the row is ours until then."""
        lately = {"since": self._clock() - _BELIEVED}
        found = await connection.execute(PULLS_LEFT, _limit(registry, source) | lately)
        return found[0].remaining if found else None


def _limit(registry: str, source: str) -> dict[str, Any]:
    return {"at_registry": registry, "of_source": source}


@contextmanager
def _tolerated() -> Iterator[None]:
    """Let no pull fail because the database is away."""
    try:
        yield
    except StoreError as error:
        _log.warning("pulls not shared", extra={"error": str(error)})
