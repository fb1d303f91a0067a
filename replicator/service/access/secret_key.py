"""SecretKeys: what tokens are hashed with and credentials are sealed with."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import field
from typing import Final

from replicator.errors import ConfigError
from replicator.values import dataclass

# 32 characters of base64 are 192 random bits; what people think up needs more to be as good.
_SHORTEST: Final = 32
_DISTINCT: Final = 12
# What stands in documents of all kinds where a key belongs.
_SAMPLES: Final = (
    *("changeme", "change-me", "change_me", "example", "sample", "placeholder", "password"),
    *("0123456789", "abcdefgh", "replace", "your-"),
)
HOW_TO_MAKE: Final = "`head -c 32 /dev/urandom | base64 > secret.key` makes one"


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key, of which everything else is derived; ``id`` tells keys apart and betrays nothing."""

    _secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return self.derive("id").hex()[:16]

    def derive(self, purpose: str) -> bytes:
        """Return 256 bits for one purpose, from which neither the key nor another is found."""
        return hmac.digest(self._secret, f"replicate {purpose}".encode(), hashlib.sha256)


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """The key that counts, and older ones that still open what they have closed."""

    current: SecretKey
    older: Sequence[SecretKey] = ()

    @property
    def all(self) -> tuple[SecretKey, ...]:
        return (self.current, *self.older)

    def find(self, key_id: str) -> SecretKey | None:
        """Return the key of that id, if it is here."""
        return next((key for key in self.all if key.id == key_id), None)


def read_keys(text: str, where: str) -> SecretKeys:
    """Read keys, separated by white space, the current one first.

    Raises ConfigError, which never shows a key, when there is none or one is weak.
    """
    written = text.split()
    if not written:
        raise ConfigError(f"{where}: there is no secret key in it; {HOW_TO_MAKE}")
    for key in written:
        _check(key, where)
    current, *older = (SecretKey(key.encode()) for key in written)
    return SecretKeys(current, tuple(older))


def _check(key: str, where: str) -> None:
    if len(key) < _SHORTEST or len(set(key)) < _DISTINCT:
        raise ConfigError(
            f"{where}: the secret key is weak; it takes {_SHORTEST} random characters; "
            f"{HOW_TO_MAKE}"
        )
    if any(sample in key.lower() for sample in _SAMPLES):
        raise ConfigError(
            f"{where}: the secret key is a sample that everybody knows; {HOW_TO_MAKE}"
        )
