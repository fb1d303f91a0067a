"""PageSessions: who is signed in at the page, by a hash of what their browsers hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, insert, or_, select, update

from replicator.store.audit import Change, append
from replicator.store.database import Database
from replicator.store.operating_tables import api_token, page_session
from replicator.store.prepared.alchemy import AlchemyTransaction
from replicator.values import dataclass

_OF_TOKEN: Final = api_token.c.name == page_session.c.token


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session. *csrf* is what its forms have to show, *token* the name of the token it is of."""

    subject: str
    role: str
    patterns: tuple[str, ...] | None
    csrf: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    token: str | None = None


class PageSessions:
    """Keeps sessions until they are over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        record: SessionRecord,
        session_hash: bytes,
        *,
        idle: timedelta,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep a new session, and forget those that are over, or unused for *idle*.

        *about* is what the audit says of it.
        """
        row = {
            "hash": session_hash,
            "subject": record.subject,
            "role": record.role,
            "patterns": None if record.patterns is None else list(record.patterns),
            "csrf": record.csrf,
            "token": record.token,
            "created_at": record.created_at,
            "seen_at": record.seen_at,
            "expires_at": record.expires_at,
        }
        over = or_(
            page_session.c.expires_at <= record.created_at,
            page_session.c.seen_at <= record.created_at - idle,
        )
        async with self._database.writing() as connection:
            await connection.execute(delete(page_session).where(over))
            await connection.execute(insert(page_session), row)
            await append(
                AlchemyTransaction(connection),
                [Change("sign_in", "session", record.subject, new=about)],
            )

    async def find(self, session_hash: bytes, now: datetime) -> SessionRecord | None:
        """Return a session, unless it or the token it was opened with is over."""
        query = (
            select(page_session)
            .select_from(page_session.outerjoin(api_token, _OF_TOKEN))
            .where(page_session.c.hash == session_hash, *_counts(now))
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _record(row)

    async def all(self, now: datetime, *, idle: timedelta) -> Sequence[tuple[bytes, SessionRecord]]:
        """Return the sessions that count, each with its hash, by whose they are."""
        query = (
            select(page_session)
            .select_from(page_session.outerjoin(api_token, _OF_TOKEN))
            .where(*_counts(now), page_session.c.seen_at > now - idle)
            .order_by(page_session.c.subject, page_session.c.hash)
        )
        async with self._database.reading() as connection:
            return [(bytes(row.hash), _record(row)) for row in await connection.execute(query)]

    async def note_use(self, session_hash: bytes, now: datetime) -> None:
        """Note that a session was used."""
        used = update(page_session).where(page_session.c.hash == session_hash)
        async with self._database.writing() as connection:
            await connection.execute(used.values(seen_at=now))

    async def remove(self, session_hash: bytes) -> None:
        """End a session, if it is there."""
        gone = delete(page_session).where(page_session.c.hash == session_hash)
        async with self._database.writing() as connection:
            row = (await connection.execute(gone.returning(page_session.c.subject))).one_or_none()
            if row is not None:
                await append(
                    AlchemyTransaction(connection), [Change("sign_out", "session", row.subject)]
                )


def _counts(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Say what has to be so of a session: neither it nor the token it was opened with is over."""
    token_counts = api_token.c.revoked_at.is_(None) & (api_token.c.expires_at > now)
    return page_session.c.expires_at > now, or_(page_session.c.token.is_(None), token_counts)


def _record(row: Any) -> SessionRecord:
    return SessionRecord(
        row.subject,
        row.role,
        None if row.patterns is None else tuple(row.patterns),
        row.csrf,
        row.created_at,
        row.seen_at,
        row.expires_at,
        row.token,
    )
