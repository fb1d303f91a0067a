"""Deciding about one rule, where due times are decided for many."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.database import Database
from replicator.store.fires import Fires, Verdict


async def decide(database: Database, name: str, now: datetime) -> Verdict:
    """Settle the due times of a rule up to *now*."""
    return (await fires_at(database, now).decide([name]))[name]


def fires_at(database: Database, now: datetime) -> Fires:
    """Return what decides due times as if it were *now*."""

    async def time(connection: AsyncConnection) -> datetime:
        return now

    return Fires(database, time=time)
