"""Times for leases: the database's own, so that workers' clocks do not matter."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncConnection

_NONE: Final = timedelta()


def moment(connection: AsyncConnection, now: datetime, after: timedelta = _NONE) -> Any:
    """Return the time that is so much *after* now, for a statement.

    A file has no clock but the machine's, which is *now*.
    """
    if connection.dialect.name == "postgresql":
        return func.now() + after
    return now + after
