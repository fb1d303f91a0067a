"""Who may log in: passwords given in code, or an htpasswd file."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Protocol

from replicator.errors import ConfigError


class Passwords(Protocol):
    """Knows the passwords of users."""

    def verify(self, username: str, password: str) -> bool: ...


class PlainPasswords:
    """Passwords given in code, for tests and the demo."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = dict(passwords)

    def verify(self, username: str, password: str) -> bool:
        known = self._passwords.get(username)
        return known is not None and hmac.compare_digest(known.encode(), password.encode())


class HtpasswdFile:
    """An Apache htpasswd file with bcrypt hashes, the only ones that registries take.

    Raises ConfigError when the file cannot be read or the package ``bcrypt`` is missing.
    """

    def __init__(self, path: Path) -> None:
        self._bcrypt = _import_bcrypt()
        self._hashes = _read_hashes(path)
        # bcrypt is slow on purpose; clients send the same password with every request.
        self._verified: set[bytes] = set()

    def verify(self, username: str, password: str) -> bool:
        known = self._hashes.get(username)
        if known is None:
            return False
        login = hashlib.sha256(f"{username}:{password}".encode()).digest()
        if login not in self._verified:
            if not self._bcrypt.checkpw(password.encode()[:72], known):
                return False
            self._verified.add(login)
        return True


def basic_login(authorization: str) -> tuple[str, str] | None:
    """Return user name and password of an Authorization header; None if it has none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        login = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return None
    username, separator, password = login.partition(":")
    return (username, password) if separator else None


def _import_bcrypt() -> ModuleType:
    try:
        import bcrypt
    except ImportError:
        raise ConfigError("an htpasswd file needs the Python package bcrypt") from None
    return bcrypt


def _read_hashes(path: Path) -> dict[str, bytes]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    hashes = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        username, _, known = line.strip().partition(":")
        if not known.startswith(("$2a$", "$2b$", "$2y$")):
            raise ConfigError(f"{path}, line {number}: not a bcrypt hash")
        hashes[username] = known.encode()
    return hashes
