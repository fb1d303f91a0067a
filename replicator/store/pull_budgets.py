"""PullBudgets: what is left of limits on pulls, for all processes that are counted together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import StoreError
from replicator.store.database import Database
from replicator.store.operating_tables import pull_budget
from replicator.store.upsert import upsert
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
        query = select(pull_budget).order_by(pull_budget.c.remaining.desc())
        async with self._database.reading() as connection:
            return {
                row.registry: PullsLeft(row.remaining, row.noted_at)
                for row in await connection.execute(query)
            }

    async def note(self, registry: str, source: str, left: int) -> None:
        with _tolerated():
            async with self._database.writing() as connection:
                known = await self._left(connection, registry, source)
                row = {
                    "registry": registry,
                    "source": source,
                    "remaining": left if known is None else min(left, known),
                    "noted_at": self._clock(),
                }
                await connection.execute(upsert(connection, pull_budget), row)

    async def take(self, registry: str, source: str, *, reserve: int) -> int | None:
        left: int | None = None
        with _tolerated():
            async with self._database.writing() as connection:
                left = await self._left(connection, registry, source)
                if left is not None and left > reserve:
                    await connection.execute(
                        update(pull_budget)
                        .where(_is(registry, source))
                        .values(remaining=pull_budget.c.remaining - 1)
                    )
        return left

    async def _left(self, connection: AsyncConnection, registry: str, source: str) -> int | None:
        """Return what is left, None if nobody heard of it lately; the row is ours until then."""
        lately = pull_budget.c.noted_at > self._clock() - _BELIEVED
        found: int | None = await connection.scalar(
            select(pull_budget.c.remaining).where(_is(registry, source), lately).with_for_update()
        )
        return found


def _is(registry: str, source: str) -> ColumnElement[bool]:
    return and_(pull_budget.c.registry == registry, pull_budget.c.source == source)


@contextmanager
def _tolerated() -> Iterator[None]:
    """Let no pull fail because the database is away."""
    try:
        yield
    except StoreError as error:
        _log.warning("pulls not shared", extra={"error": str(error)})
