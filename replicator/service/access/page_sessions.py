"""SessionDesk: lets people in at the page, knows them again, and lets them out."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from replicator.service.access.identity import Identity, Role
from replicator.store.page_sessions import SessionRecord
from replicator.values import dataclass

# Unused for so long, a session is over; and it is over after so long in any case.
IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
# A use is noted no more often than this.
_NOTE_EVERY: Final = timedelta(minutes=1)
_RANDOM_BYTES: Final = 32
_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Sessions(Protocol):
    """Keeps sessions by their hash."""

    async def add(
        self,
        record: SessionRecord,
        session_hash: bytes,
        *,
        idle: timedelta,
        about: Mapping[str, Any] | None = None,
    ) -> None: ...

    async def find(self, session_hash: bytes, now: datetime) -> SessionRecord | None: ...

    async def all(
        self, now: datetime, *, idle: timedelta
    ) -> Sequence[tuple[bytes, SessionRecord]]: ...

    async def note_use(self, session_hash: bytes, now: datetime) -> None: ...

    async def remove(self, session_hash: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, and what his forms have to show."""

    identity: Identity
    csrf: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as those see it who may end those of others; *id* lets nobody in."""

    id: str
    record: SessionRecord


class SessionDesk:
    """Only a hash of what a browser holds is kept, so whoever reads the database has no session.

    It is looked up for each request: one that is ended counts nowhere from then on.
    """

    def __init__(self, sessions: Sessions, clock: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._clock = clock

    async def open(
        self, who: Identity, *, token: str | None, about: Mapping[str, Any] | None = None
    ) -> str:
        """Begin a session of *who*, and return what the browser is to hold.

        It ends with the *token* of that name; who has none was signed in by a provider. *about*
        is what the audit says of it.
        """
        now = self._clock()
        secret = secrets.token_urlsafe(_RANDOM_BYTES)
        record = SessionRecord(
            who.subject,
            who.role.value,
            who.patterns,
            secrets.token_urlsafe(_RANDOM_BYTES),
            created_at=now,
            seen_at=now,
            expires_at=now + LONGEST,
            token=token,
        )
        await self._sessions.add(record, _hash(secret), idle=IDLE, about=about)
        return secret

    async def find(self, secret: str, *, notes_use: bool) -> Session | None:
        """Return the session of which a browser holds *secret*, unless it is over.

        What a page asks for by itself is no use, or nobody would ever be idle before it.
        """
        if not _SECRET.fullmatch(secret):
            return None
        now, session_hash = self._clock(), _hash(secret)
        record = await self._sessions.find(session_hash, now)
        if record is None or now - record.seen_at >= IDLE:
            return None
        if notes_use and now - record.seen_at >= _NOTE_EVERY:
            await self._sessions.note_use(session_hash, now)
        via = "oidc" if record.token is None else "page"
        identity = Identity(record.subject, Role(record.role), record.patterns, via)
        return Session(identity, record.csrf)

    async def close(self, secret: str) -> None:
        """End a session, whether or not there is one."""
        await self._sessions.remove(_hash(secret))

    async def all(self) -> tuple[OpenSession, ...]:
        """Return all sessions that count, by whose they are."""
        found = await self._sessions.all(self._clock(), idle=IDLE)
        return tuple(OpenSession(each.hex(), record) for each, record in found)

    async def end(self, session_id: str) -> None:
        """End the session of that id, whether or not there is one."""
        if _ID.fullmatch(session_id):
            await self._sessions.remove(bytes.fromhex(session_id))


def _hash(secret: str) -> bytes:
    """Return what is kept; of 32 random bytes nobody finds the secret by trying."""
    return hashlib.sha256(secret.encode()).digest()
