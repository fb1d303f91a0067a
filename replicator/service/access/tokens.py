"""TokenDesk: makes tokens, tells who shows one, and lets them count no more."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from replicator.errors import ConfigError, InvalidRequest, NotAuthenticated
from replicator.planning.patterns import Glob
from replicator.service.access.identity import Identity, Role
from replicator.service.access.secret_key import SecretKey, SecretKeys
from replicator.store.tokens import TokenRecord

# What a scanner for leaked secrets finds tokens by.
PREFIX: Final = "rplt_"
_RANDOM_BYTES: Final = 32
_TOKEN: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
LIFETIME: Final = timedelta(days=90)
_LONGEST: Final = timedelta(days=3660)
# A use is noted no more often than this: it is for people who look what may go.
_NOTE_EVERY: Final = timedelta(minutes=1)
_REFUSED: Final = "this token does not count: it is unknown, over or revoked"


class Tokens(Protocol):
    """Keeps tokens by their hash."""

    async def add(self, record: TokenRecord, token_hash: bytes) -> None: ...

    async def find(self, hashes: Sequence[bytes]) -> tuple[TokenRecord, bytes] | None: ...

    async def note_use(self, token_id: str, token_hash: bytes, now: datetime) -> None: ...

    async def revoke(self, name: str, now: datetime) -> TokenRecord: ...

    async def all(self) -> tuple[TokenRecord, ...]: ...


class TokenDesk:
    """Only a keyed hash of a token is kept, so whoever reads the database has none.

    It is looked up for each request: a token that is revoked counts nowhere from then on.
    """

    def __init__(self, tokens: Tokens, keys: SecretKeys, clock: Callable[[], datetime]) -> None:
        self._tokens = tokens
        self._keys = keys
        self._clock = clock

    async def create(
        self,
        name: str,
        role: Role,
        *,
        patterns: Sequence[str] | None = None,
        lifetime: timedelta = LIFETIME,
    ) -> tuple[str, TokenRecord]:
        """Make a token and return it, for the only time. Raises InvalidRequest, NameTaken."""
        _check(name, patterns, lifetime)
        now = self._clock()
        record = TokenRecord(
            secrets.token_hex(8),
            name,
            role.value,
            None if patterns is None else tuple(patterns),
            now,
            now + lifetime,
        )
        token = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
        await self._tokens.add(record, _hash(token, self._keys.current))
        return token, record

    async def identify(self, token: str) -> Identity:
        """Return who shows *token*. Raises NotAuthenticated, without saying what is wrong."""
        if not _TOKEN.fullmatch(token):
            raise NotAuthenticated(_REFUSED)
        hashes = [_hash(token, key) for key in self._keys.all]
        found = await self._tokens.find(hashes)
        if found is None or not any(hmac.compare_digest(found[1], each) for each in hashes):
            raise NotAuthenticated(_REFUSED)
        record, kept = found
        now = self._clock()
        if record.revoked_at is not None or record.expires_at <= now:
            raise NotAuthenticated(_REFUSED)
        if kept != hashes[0] or record.used_at is None or now - record.used_at >= _NOTE_EVERY:
            await self._tokens.note_use(record.id, hashes[0], now)
        return Identity(record.name, Role(record.role), record.patterns, "token")

    async def revoke(self, name: str) -> TokenRecord:
        """Let a token count no more. Raises TokenNotFound."""
        return await self._tokens.revoke(name, self._clock())

    async def all(self) -> tuple[TokenRecord, ...]:
        """Return all tokens, those included that are over."""
        return await self._tokens.all()


def _check(name: str, patterns: Sequence[str] | None, lifetime: timedelta) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "use up to 100 letters, digits, dots, dashes and underscores", field="name"
        )
    if patterns is not None and not patterns:
        raise InvalidRequest("no pattern matches no rule; leave it out for all", field="rules")
    for pattern in patterns or ():
        try:
            Glob.of_tags(pattern, where="rules")
        except ConfigError as error:
            raise InvalidRequest(str(error).removeprefix("rules: "), field="rules") from None
    if not timedelta(0) < lifetime <= _LONGEST:
        raise InvalidRequest("a token counts for up to ten years", field="expires_in")


def _hash(token: str, key: SecretKey) -> bytes:
    return hmac.digest(key.derive("tokens"), token.encode(), hashlib.sha256)
