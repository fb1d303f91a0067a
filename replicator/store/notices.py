"""Notices that something changed, to whoever listens to the database; looking stays the rule."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statements import TELL

_log = logging.getLogger(__name__)

RULES: Final = "rules"
CANCELLED: Final = "cancelled"

# As in the statement that tells.
CHANGES: Final = "replicator"
# Seconds until a lost connection is made anew.
_AGAIN_AFTER: Final = 5.0


async def tell(connection: Connection, what: str) -> None:
    """Tell all who listen, once the transaction is committed. Who uses a file only looks."""
    await connection.execute(TELL, {"what": what})


async def notices(dsn: str, channel: str = CHANGES) -> AsyncIterator[str]:
    """Yield each notice, without end; after a loss of the connection go on anew."""
    import psycopg

    while True:
        try:
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                await connection.execute(f"LISTEN {channel}")
                async for notice in connection.notifies():
                    yield notice.payload
        except (psycopg.Error, OSError) as error:
            # No text of the error: it may say more of the connection than a log should.
            _log.warning("not listening to the database", extra={"error": type(error).__name__})
        await asyncio.sleep(_AGAIN_AFTER)
