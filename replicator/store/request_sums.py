"""RequestSums: what runs asked registries, added up hour by hour, so that pages need not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.database import Database
from replicator.store.operating_tables import request_sum
from replicator.store.tables import run

# As the ids of runs begin, in UTC.
_HOUR: Final = "%Y%m%d-%H"
# A run may be made by a clock that is behind.
_MARGIN: Final = timedelta(hours=1)
# Longer than anybody looks back.
_KEPT_FOR: Final = timedelta(days=30)
# Hours that one transaction adds up: others wait for it on SQLite.
_BATCH: Final = 6

# Both databases open JSON in this way. Two services that add up one hour come to the same sums.
_ADD: Final = (
    "INSERT INTO request_sum (hour, registry, kind, number)"
    " SELECT substr(run.id, 1, 11), host.key, kind.key,"
    " sum(CAST(CAST(kind.value AS TEXT) AS BIGINT))"
    " FROM run, json_each(run.requests) AS host, json_each(host.value) AS kind"
    " WHERE run.id >= :after AND run.id < :before"
    " GROUP BY substr(run.id, 1, 11), host.key, kind.key"
    " ON CONFLICT DO NOTHING"
)
# By the day in which runs were made, as ids begin: 20260314.
BY_DAY: Final = (
    "SELECT day, registry, kind, sum(number) FROM ("
    "SELECT substr(hour, 1, 8) AS day, registry, kind, number FROM request_sum"
    " WHERE hour >= :since"
    " UNION ALL"
    " SELECT substr(run.id, 1, 8), host.key, kind.key, CAST(CAST(kind.value AS TEXT) AS BIGINT)"
    " FROM run, json_each(run.requests) AS host, json_each(host.value) AS kind"
    " WHERE run.id >= :since AND run.id >= :after"
    ") AS asked"
    " WHERE :registry = '' OR registry = :registry"
    " GROUP BY day, registry, kind"
)


class RequestSums:
    """Adds up the requests of runs by the hour in which they were made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_up(self, now: datetime) -> None:
        """Write down the sums of all hours that are over and have no unfinished run.

        Several services may do so at once.
        """
        first = now.astimezone(UTC) - _KEPT_FOR
        async with self._database.reading() as connection:
            after = max(f"{first:{_HOUR}}", await hour_after_sums(connection))
            end = await _first_open_hour(connection, now)
        while after < end:
            before = min(end, _later(after, _BATCH))
            async with self._database.writing() as connection:
                await connection.execute(text(_ADD), {"after": after, "before": before})
            after = before
        async with self._database.writing() as connection:
            await connection.execute(
                delete(request_sum).where(request_sum.c.hour < f"{first:{_HOUR}}")
            )


async def hour_after_sums(connection: AsyncConnection) -> str:
    """Return the hour after the last one that is added up, as ids begin; empty if none is."""
    last = await connection.scalar(select(func.max(request_sum.c.hour)))
    return "" if last is None else _later(last, 1)


async def _first_open_hour(connection: AsyncConnection, now: datetime) -> str:
    """Return the hour in which runs may still come, or ask more."""
    hour = f"{now.astimezone(UTC) - _MARGIN:{_HOUR}}"
    unfinished = await connection.scalar(
        select(func.min(run.c.id)).where(run.c.finished_at.is_(None))
    )
    return hour if unfinished is None else min(hour, str(unfinished)[: len(hour)])


def _later(hour: str, hours: int) -> str:
    return f"{datetime.strptime(hour, _HOUR) + timedelta(hours=hours):{_HOUR}}"
