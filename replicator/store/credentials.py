"""Credentials: sealed secrets of registries, by name."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import CredentialNotFound, NameTaken
from replicator.store.audit import Change, append
from replicator.store.database import Database
from replicator.store.operating_tables import credential
from replicator.store.prepared.alchemy import AlchemyTransaction
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class CredentialRecord:
    """A login for one host. ``sealed`` is None when its secret was cleared and has to be set
    again; ``version`` grows with every change."""

    name: str
    host: str
    username: str
    sealed: bytes | None = field(repr=False)
    key_id: str
    version: int
    updated_at: datetime


class Credentials:
    """Keeps credentials; what it knows of their secrets is sealed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, record: CredentialRecord) -> None:
        """Add a credential, or replace one for the same host.

        Raises NameTaken where its name is that of one for another host, which would be lost to a
        registry that still needs it.
        """
        async with self._database.writing() as connection:
            before = await _find(connection, record.name)
            if before is not None and before.host != record.host:
                raise NameTaken(_for_another(before, record.host))
            row = {
                "name": record.name,
                "host": record.host,
                "username": record.username,
                "sealed": record.sealed,
                "key_id": record.key_id,
                "version": before.version + 1 if before else 1,
                "updated_at": record.updated_at,
            }
            if before is None:
                await connection.execute(insert(credential), row)
            else:
                await connection.execute(
                    update(credential).where(credential.c.name == record.name).values(row)
                )
            await append(AlchemyTransaction(connection), [_change(before, record)])

    async def get(self, name: str) -> CredentialRecord:
        """Return a credential. Raises CredentialNotFound."""
        async with self._database.reading() as connection:
            found = await _find(connection, name)
        if found is None:
            raise CredentialNotFound(_missing(name))
        return found

    async def all(self) -> tuple[CredentialRecord, ...]:
        """Return all credentials, by name."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(credential).order_by(credential.c.name))
            return tuple(map(_record, rows))

    async def delete(self, name: str) -> None:
        """Forget a credential. Raises CredentialNotFound."""
        async with self._database.writing() as connection:
            before = await _find(connection, name)
            if before is None:
                raise CredentialNotFound(_missing(name))
            await connection.execute(delete(credential).where(credential.c.name == name))
            change = Change("delete", "credential", name, old=_described(before))
            await append(AlchemyTransaction(connection), [change])

    async def sealed_otherwise(self, key_id: str, *, limit: int) -> tuple[CredentialRecord, ...]:
        """Return some credentials that are not sealed with the key of *key_id*."""
        query = select(credential).where(*_stale(key_id)).order_by(credential.c.name).limit(limit)
        async with self._database.reading() as connection:
            return tuple(map(_record, await connection.execute(query)))

    async def count_sealed_otherwise(self, key_id: str) -> int:
        """Return how many are not sealed with the key of *key_id*."""
        query = select(func.count()).select_from(credential).where(*_stale(key_id))
        async with self._database.reading() as connection:
            return await connection.scalar(query) or 0

    async def replace_seal(self, record: CredentialRecord, sealed: bytes, key_id: str) -> bool:
        """Keep the same secret in another seal; False when it was changed meanwhile."""
        same = (credential.c.name == record.name, credential.c.version == record.version)
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(credential).where(*same).values(sealed=sealed, key_id=key_id)
            )
        return changed.rowcount == 1


async def clear_secrets(connection: AsyncConnection, host: str, now: datetime) -> list[Change]:
    """Clear the secrets of all credentials of *host*, in a transaction that is open.

    Return what is to be written into the audit; nothing if there were none to clear.
    """
    query = select(credential).where(credential.c.host == host, credential.c.sealed.is_not(None))
    rows = await connection.execute(query.order_by(credential.c.name).with_for_update())
    changes = []
    for before in map(_record, rows.all()):
        await connection.execute(
            update(credential)
            .where(credential.c.name == before.name)
            .values(sealed=None, version=before.version + 1, updated_at=now)
        )
        old = _described(before)
        new = {**old, "secret": "cleared"}
        changes.append(Change("clear", "credential", before.name, old=old, new=new))
    return changes


def _stale(key_id: str) -> tuple[Any, ...]:
    return credential.c.key_id != key_id, credential.c.sealed.is_not(None)


async def _find(connection: AsyncConnection, name: str) -> CredentialRecord | None:
    query = select(credential).where(credential.c.name == name)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _record(row)


def _record(row: Any) -> CredentialRecord:
    return CredentialRecord(
        row.name,
        row.host,
        row.username,
        None if row.sealed is None else bytes(row.sealed),
        row.key_id,
        row.version,
        row.updated_at,
    )


def _change(before: CredentialRecord | None, after: CredentialRecord) -> Change:
    if before is None:
        return Change("create", "credential", after.name, new=_described(after))
    changed = {**_described(after), "secret": "changed"}
    return Change("change", "credential", after.name, old=_described(before), new=changed)


def _described(record: CredentialRecord) -> dict[str, Any]:
    secret = "none" if record.sealed is None else "set"
    return {"host": record.host, "username": record.username, "secret": secret}


def _for_another(kept: CredentialRecord, host: str) -> str:
    return (
        f"the credential {kept.name!r} is for {kept.host}, which would lose it to {host}; choose "
        f"another name for {host}, or delete {kept.name!r} first"
    )


def _missing(name: str) -> str:
    return (
        f"there is no credential {name!r}; `replicate credential set {name} --host HOST` makes it"
    )
