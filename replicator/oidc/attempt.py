"""Attempt: one sign-in under way, known again by what the browser holds meanwhile."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final, Self

from replicator.values import dataclass

_RANDOM_BYTES: Final = 32
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempt:
    """State, nonce and verifier are all made from one secret, which only the browser keeps.

    So the service keeps nothing of sign-ins that nobody ends, every replica can end one that
    another began, and what the provider and the address bar see of it tells nobody the rest.
    """

    secret: str

    @classmethod
    def new(cls) -> Self:
        return cls(secrets.token_urlsafe(_RANDOM_BYTES))

    @property
    def is_one(self) -> bool:
        """Whether the secret has the form of one of ours."""
        return _SECRET.fullmatch(self.secret) is not None

    @property
    def state(self) -> str:
        """What the provider's answer has to show: that this browser asked."""
        return self._derive(b"state")

    @property
    def nonce(self) -> str:
        """What the ID token has to show: that it was made for this sign-in."""
        return self._derive(b"nonce")

    @property
    def verifier(self) -> str:
        """What proves to the provider that whoever shows the code is who asked (PKCE)."""
        return self._derive(b"verifier")

    @property
    def challenge(self) -> str:
        """Return what the provider is told of the verifier at first (RFC 7636, S256)."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())

    def _derive(self, purpose: bytes) -> str:
        return _text(hmac.digest(self.secret.encode(), purpose, hashlib.sha256))


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
