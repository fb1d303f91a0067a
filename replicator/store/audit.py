"""Audit: who changed what, in a chain of hashes that shows when somebody rewrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from replicator.store.actor import current_actor
from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statements import ADD_TO_AUDIT, LAST_HASH, LOCK_AUDIT
from replicator.store.text import storable
from replicator.values import dataclass

# What the first row has in place of the hash of the row before it.
BEGINNING: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one thing: *old* and *new* are as much of it as may be known."""

    action: str
    kind: str
    name: str
    old: Mapping[str, Any] | None = None
    new: Mapping[str, Any] | None = None


async def append(connection: Connection, changes: Sequence[Change]) -> None:
    """Write down *changes* in a transaction that is open, as its very last statements.

    Nobody else appends until it ends, so whoever locks more after this could lock for ever.
    """
    if not changes:
        return
    await connection.execute(LOCK_AUDIT)
    last = await connection.execute(LAST_HASH)
    before = last[0][0] if last else BEGINNING
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
        before = hash_of(row)
        await connection.execute(ADD_TO_AUDIT, {**row, "hash": before})


def _plain(value: Mapping[str, Any] | None) -> Any:
    """Return what JSON makes of *value*, so that it has the same hash when it is read again."""
    return None if value is None else json.loads(json.dumps(value))


def hash_of(row: Mapping[Any, Any]) -> str:
    """Return the hash of a row, which covers that of the row before it."""
    content = [
        row["previous_hash"],
        row["at"].astimezone(UTC).isoformat(timespec="microseconds"),
        *(row[name] for name in ("actor", "via", "action", "kind", "name", "old", "new")),
    ]
    written = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()
