"""Prepared statements through SQLAlchemy: on a server, and beside what else is done there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.prepared.sources import sources
from replicator.store.prepared.statement import NONE, Prepared, Values


class AlchemyTransaction:
    """A transaction of SQLAlchemy; see ``Connection``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(self, statement: Prepared, values: Values = NONE) -> Sequence[Any]:
        source = sources(self._connection.dialect.name)[statement.name].statement
        no_rows = not isinstance(values, dict) and not values
        if source is None or no_rows:
            # SQLAlchemy would carry it out once, without any values.
            return ()
        result = await self._connection.execute(source, values or None)
        return result.all() if result.returns_rows else ()
