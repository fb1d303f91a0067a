"""Tokens: who may ask the API, by a hash of what they show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from replicator.errors import NameTaken, TokenNotFound
from replicator.store.audit import Change, append
from replicator.store.database import Database
from replicator.store.operating_tables import api_token
from replicator.store.prepared.alchemy import AlchemyTransaction
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token without its secret. *patterns* are globs of names of rules; None is all."""

    id: str
    name: str
    role: str
    patterns: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def described(self) -> dict[str, Any]:
        """Return what the audit keeps of it."""
        patterns = None if self.patterns is None else list(self.patterns)
        return {"role": self.role, "rules": patterns, "expires_at": self.expires_at.isoformat()}


class Tokens:
    """Keeps tokens; those that are over stay, as the audit names them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: TokenRecord, token_hash: bytes) -> None:
        """Keep a new token. Raises NameTaken."""
        row = {
            "id": record.id,
            "name": record.name,
            "hash": token_hash,
            "role": record.role,
            "patterns": None if record.patterns is None else list(record.patterns),
            "created_at": record.created_at,
            "expires_at": record.expires_at,
        }
        async with self._database.writing() as connection:
            taken = select(api_token.c.id).where(api_token.c.name == record.name)
            if await connection.scalar(taken) is not None:
                raise NameTaken(_taken(record.name))
            try:
                await connection.execute(insert(api_token), row)
            except IntegrityError:
                # Somebody else was quicker by a moment.
                raise NameTaken(_taken(record.name)) from None
            change = Change("create", "token", record.name, new=record.described())
            await append(AlchemyTransaction(connection), [change])

    async def find(self, hashes: Sequence[bytes]) -> tuple[TokenRecord, bytes] | None:
        """Return the token of one of *hashes*, and that hash."""
        query = select(api_token).where(api_token.c.hash.in_(hashes))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else (_record(row), bytes(row.hash))

    async def note_use(self, token_id: str, token_hash: bytes, now: datetime) -> None:
        """Note that a token was used, and keep the hash of it that the current key makes."""
        used = update(api_token).where(api_token.c.id == token_id)
        async with self._database.writing() as connection:
            await connection.execute(used.values(used_at=now, hash=token_hash))

    async def revoke(self, name: str, now: datetime) -> TokenRecord:
        """Let a token count no more, from the next request on. Raises TokenNotFound."""
        mine = (api_token.c.name == name, api_token.c.revoked_at.is_(None))
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(api_token).where(*mine).values(revoked_at=now).returning(api_token)
            )
            row = changed.one_or_none()
            if row is None:
                raise TokenNotFound(f"there is no token {name!r} that counts")
            record = _record(row)
            await append(
                AlchemyTransaction(connection),
                [Change("revoke", "token", name, old=record.described())],
            )
        return record

    async def all(self) -> tuple[TokenRecord, ...]:
        """Return all tokens, by name."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(api_token).order_by(api_token.c.name))
            return tuple(map(_record, rows))

    async def exist(self) -> bool:
        """Say whether there has ever been a token: one that is over opens nothing to everybody."""
        async with self._database.reading() as connection:
            found = await connection.scalar(select(api_token.c.id).limit(1))
        return found is not None


def _record(row: Any) -> TokenRecord:
    return TokenRecord(
        row.id,
        row.name,
        row.role,
        None if row.patterns is None else tuple(row.patterns),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.used_at,
    )


def _taken(name: str) -> str:
    return f"there is or was a token {name!r} already; choose another name"
