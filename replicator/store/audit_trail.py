"""Audit: shows who changed what, and whether anybody has rewritten that."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from replicator.store.audit import BEGINNING, Change, append, hash_of
from replicator.store.database import Database
from replicator.store.operating_tables import audit
from replicator.values import dataclass

_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A change, with who made it, when, and by which way."""

    id: int
    at: datetime
    actor: str
    via: str
    change: Change
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found in the chain: how many rows are good, and the first that is not, if any.

    ``head`` is the hash of the last good row. Whoever noted it elsewhere also sees when rows at
    the end were removed, which the chain alone cannot show.
    """

    rows: int
    head: str
    broken_at: int | None


class Audit:
    """Shows what was changed, and whether anybody has rewritten that."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, change: Change) -> None:
        """Write down a change that is not one of the database itself."""
        async with self._database.noting() as connection:
            await append(connection, [change])

    async def page(
        self,
        *,
        before: int | None,
        limit: int,
        kind: str | None = None,
        name: str | None = None,
        actor: str | None = None,
    ) -> tuple[AuditRecord, ...]:
        """Return records, newest first, from before the one of id *before* on."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.id < before)
        for column, wanted in ((audit.c.kind, kind), (audit.c.name, name), (audit.c.actor, actor)):
            if wanted is not None:
                query = query.where(column == wanted)
        async with self._database.reading() as connection:
            return tuple(map(_record, await connection.execute(query)))

    async def verify(self) -> Verification:
        """Walk along the chain from its beginning."""
        rows, head, after = 0, BEGINNING, 0
        while True:
            query = select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(_BATCH)
            async with self._database.reading() as connection:
                found = (await connection.execute(query)).mappings().all()
            for row in found:
                if row["previous_hash"] != head or row["hash"] != hash_of(row):
                    return Verification(rows, head, row["id"])
                rows, head, after = rows + 1, row["hash"], row["id"]
            if len(found) < _BATCH:
                return Verification(rows, head, None)


def _record(row: Any) -> AuditRecord:
    change = Change(row.action, row.kind, row.name, row.old, row.new)
    return AuditRecord(row.id, row.at, row.actor, row.via, change, row.hash)
