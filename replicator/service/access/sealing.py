"""Sealing: secrets that only their own row of the database can give back, with the right key."""

from __future__ import annotations

import json
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from replicator.errors import ConfigError
from replicator.service.access.secret_key import SecretKey, SecretKeys
from replicator.values import dataclass

# Which layout the bytes have; another one gets another prefix.
_VERSION: Final = b"rs1:"
_NONCE: Final = 12
_DATA_KEY: Final = 32
_WRAPPED: Final = _NONCE + _DATA_KEY + 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed secret stands. Moved to another row, or another host, it does not open."""

    table: str
    row: str
    host: str

    def bound(self, what: str) -> bytes:
        """Return what is authenticated along with *what*."""
        return json.dumps([what, self.table, self.row, self.host]).encode()


def seal(secret: bytes, place: Place, key: SecretKey) -> bytes:
    """Seal *secret* under a data key of its own (AES-256-GCM), which *key* wraps."""
    data_key = AESGCM.generate_key(_DATA_KEY * 8)
    return (
        _VERSION
        + _encrypt(data_key, place.bound("key"), _wrapping(key))
        + _encrypt(secret, place.bound("secret"), data_key)
    )


def unseal(sealed: bytes, place: Place, key_id: str, keys: SecretKeys) -> bytes:
    """Return the secret. Raises ConfigError when it does not open; there is no other way to it."""
    data_key, content = _open(sealed, place, key_id, keys)
    return _decrypt(content, place.bound("secret"), data_key, place)


def rewrap(sealed: bytes, place: Place, key_id: str, keys: SecretKeys) -> bytes:
    """Return the same secret with its data key wrapped by the current key. Raises ConfigError."""
    data_key, content = _open(sealed, place, key_id, keys)
    return _VERSION + _encrypt(data_key, place.bound("key"), _wrapping(keys.current)) + content


def _open(sealed: bytes, place: Place, key_id: str, keys: SecretKeys) -> tuple[bytes, bytes]:
    key = keys.find(key_id)
    if key is None:
        raise ConfigError(
            f"{_of(place)} is sealed with the secret key {key_id}, which is not here; put it "
            "behind the current one in the key file"
        )
    if not sealed.startswith(_VERSION):
        raise _damaged(place)
    rest = sealed.removeprefix(_VERSION)
    wrapped, content = rest[:_WRAPPED], rest[_WRAPPED:]
    return _decrypt(wrapped, place.bound("key"), _wrapping(key), place), content


def _wrapping(key: SecretKey) -> bytes:
    return key.derive("credentials")


def _encrypt(content: bytes, bound: bytes, key: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, bound)


def _decrypt(content: bytes, bound: bytes, key: bytes, place: Place) -> bytes:
    try:
        return AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], bound)
    except (InvalidTag, ValueError):
        raise _damaged(place) from None


def _damaged(place: Place) -> ConfigError:
    return ConfigError(
        f"{_of(place)} does not open: its row was changed by hand, or copied from another; "
        f"set it again with `replicate credential set {place.row} --host {place.host}`"
    )


def _of(place: Place) -> str:
    return f"the {place.table} {place.row!r}"
