"""Times by the database's own clock, so that those of the machines around it do not matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

_NONE: Final = timedelta()


def moment(connection: AsyncConnection, now: datetime, after: timedelta = _NONE) -> Any:
    """Return the time that is so much *after* now, for a statement.

    A file has no clock but the machine's, which is *now*.
    """
    if connection.dialect.name == "postgresql":
        return func.now() + after
    return now + after


async def database_time(connection: AsyncConnection) -> datetime:
    """Return what the database's clock says at this moment; that of a file is the machine's.

    It is not when the transaction began: that may have waited for others since.
    """
    if connection.dialect.name == "postgresql":
        found: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        return found.astimezone(UTC)
    return datetime.now(UTC)
