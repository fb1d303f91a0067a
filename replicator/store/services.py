"""Services: which processes serve a database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.abandoned import LEASE
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.tables import service
from replicator.store.upsert import upsert


class Services:
    """Keeps who serves a database, so that others know whether what they queue will be done."""

    def __init__(
        self, database: Database, owner: Owner, started_at: datetime, *, works: bool = True
    ) -> None:
        """*works* says whether this process carries out runs, or only rings or answers."""
        self._database = database
        self._owner = str(owner)
        self._started_at = started_at
        self._works = works

    async def announce(self, now: datetime) -> None:
        """Say that this process serves, and forget those that are gone; due every few seconds."""
        row = {
            "owner": self._owner,
            "started_at": self._started_at,
            "seen_at": now,
            "works": self._works,
        }
        async with self._database.writing() as connection:
            await connection.execute(upsert(connection, service), row)
            for owner, seen_at in (await _all(connection)).items():
                if not _is_there(owner, seen_at, now):
                    await connection.execute(delete(service).where(service.c.owner == owner))

    async def working(self, now: datetime) -> int:
        """Return how many services carry out runs, this one included if it does."""
        async with self._database.reading() as connection:
            rows = await connection.execute(
                select(service.c.owner, service.c.seen_at).where(service.c.works)
            )
        others = [row for row in rows.all() if row.owner != self._owner]
        return self._works + sum(_is_there(row.owner, row.seen_at, now) for row in others)

    async def retire(self) -> None:
        """Say that this process serves no more."""
        async with self._database.writing() as connection:
            await connection.execute(delete(service).where(service.c.owner == self._owner))


async def is_served(database: Database, now: datetime) -> bool:
    """Say whether some process serves *database*."""
    async with database.reading() as connection:
        return await someone_serves(connection, now)


async def someone_serves(connection: AsyncConnection, now: datetime) -> bool:
    """Say within a transaction whether some process serves its database."""
    found = await _all(connection)
    return any(_is_there(owner, seen_at, now) for owner, seen_at in found.items())


async def _all(connection: AsyncConnection) -> dict[str, datetime]:
    rows = await connection.execute(select(service.c.owner, service.c.seen_at))
    return {row.owner: row.seen_at for row in rows}


def _is_there(owner: str, seen_at: datetime, now: datetime) -> bool:
    alive = Owner.parse(owner).is_alive()
    return now - seen_at <= LEASE if alive is None else alive
