"""Signer: tokens that nobody else can make. (RFC 7519, with HS256)"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final


class Signer:
    """Signs claims and reads them back; its key lives and dies with it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a token; ``exp`` among *claims* says, in seconds, until when it is good."""
        content = f"{_HEADER}.{_encode(json.dumps(claims).encode())}"
        return f"{content}.{self._signature(content)}"

    def read(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token, None if it is not ours or no longer good."""
        content, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(content).encode()):
            return None
        claims: dict[str, Any] = json.loads(_decode(content.partition(".")[2]))
        return claims if claims.get("exp", float("inf")) > self._clock() else None

    def _signature(self, content: str) -> str:
        return _encode(hmac.digest(self._key, content.encode(), "sha256"))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


_HEADER: Final = _encode(b'{"typ":"JWT","alg":"HS256"}')
