"""Audit: who changed what, in a chain of hashes that shows when somebody rewrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.store.actor import current_actor
from replicator.store.database import Database
from replicator.store.operating_tables import audit
from replicator.store.text import storable
from replicator.values import dataclass

# What the first row has in place of the hash of the row before it.
_BEGINNING: Final = "0" * 64
# Any number that nothing else in the database locks.
_LOCK: Final = 7_204_116_302
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one thing: *old* and *new* are as much of it as may be known."""

    action: str
    kind: str
    name: str
    old: Mapping[str, Any] | None = None
    new: Mapping[str, Any] | None = None


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


async def append(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Write down *changes* in a transaction that is open, as its very last statements.

    Nobody else appends until it ends, so whoever locks more after this could lock for ever.
    """
    if not changes:
        return
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)
    before = await connection.scalar(last) or _BEGINNING
    actor, now = current_actor(), datetime.now(UTC)
    for change in changes:
        row = {
            "at": now,
            "actor": storable(actor.name),
            "via": storable(actor.via),
            "action": change.action,
            "kind": change.kind,
            "name": storable(change.name),
            "old": _plain(change.old),
            "new": _plain(change.new),
            "previous_hash": before,
        }
        before = _hash(row)
        await connection.execute(insert(audit), {**row, "hash": before})


class Audit:
    """Shows what was changed, and whether anybody has rewritten that."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, change: Change) -> None:
        """Write down a change that is not one of the database itself."""
        async with self._database.writing() as connection:
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
        rows, head, after = 0, _BEGINNING, 0
        while True:
            query = select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(_BATCH)
            async with self._database.reading() as connection:
                found = (await connection.execute(query)).mappings().all()
            for row in found:
                if row["previous_hash"] != head or row["hash"] != _hash(row):
                    return Verification(rows, head, row["id"])
                rows, head, after = rows + 1, row["hash"], row["id"]
            if len(found) < _BATCH:
                return Verification(rows, head, None)


def _plain(value: Mapping[str, Any] | None) -> Any:
    """Return what JSON makes of *value*, so that it has the same hash when it is read again."""
    return None if value is None else json.loads(json.dumps(value))


def _hash(row: Mapping[Any, Any]) -> str:
    content = [
        row["previous_hash"],
        row["at"].astimezone(UTC).isoformat(timespec="microseconds"),
        *(row[name] for name in ("actor", "via", "action", "kind", "name", "old", "new")),
    ]
    written = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


def _record(row: Any) -> AuditRecord:
    change = Change(row.action, row.kind, row.name, row.old, row.new)
    return AuditRecord(row.id, row.at, row.actor, row.via, change, row.hash)
