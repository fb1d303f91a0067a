"""DockerFile: the content of a ``config.json``, as far as it is about logins."""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self

from replicator.errors import ConfigError
from replicator.oci.reference import DOCKER_HUB, canonical_registry
from replicator.oci.strict_json import parse_json
from replicator.registry.settings import Credentials
from replicator.values import dataclass

# What Docker calls Docker Hub when it keeps a login.
_HUB_SERVER: Final = "https://index.docker.io/v1/"
# What old versions of Docker wrote behind a host.
_OLD_PATHS: Final = frozenset({"", "v1", "v1/", "v2", "v2/"})
# In bytes.
_MAX_SIZE: Final = 4 * 1024 * 1024


def server_name(registry: str) -> str:
    """Return the name under which Docker keeps the login for *registry*."""
    return _HUB_SERVER if registry == DOCKER_HUB else registry


@dataclass(frozen=True, slots=True)
class DockerFile:
    """A Docker configuration file; *content* is the whole of it.

    A key counts for exactly the host it names, or, as podman and skopeo write it, for what is
    below a path of a host.
    """

    path: Path
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file; one that is not there is empty. Raises ConfigError."""
        try:
            with path.open("rb") as file:
                text = file.read(_MAX_SIZE + 1)
            content = parse_json(text) if len(text) <= _MAX_SIZE else None
        except FileNotFoundError:
            content = {}
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
        except ValueError as error:
            # A parser's error may hold the whole text, and with it the passwords.
            raise ConfigError(f"{path} is not JSON: {error}") from None
        if not isinstance(content, dict):
            raise ConfigError(f"{path} is not a Docker configuration")
        return cls(path, content)

    def helper(self, registry: str) -> str:
        """Return the name of the credential helper for *registry*, empty for the file itself."""
        by_host = self._section("credHelpers")
        for key in _keys(by_host, registry):
            return self._text(by_host[key], f"credHelpers.{key}")
        return self._text(self.content.get("credsStore"), "credsStore")

    def login(self, registry: str) -> Credentials | None:
        """Return the login that is written in the file. Raises ConfigError if it is damaged.

        *registry* may be a path of one: then it is that for what is below the path.
        """
        logins = self._section("auths")
        for key in _keys(logins, registry):
            if (credentials := self._credentials(f"auths.{key}", logins[key])) is not None:
                return credentials
        return None

    def paths(self, registry: str) -> tuple[str, ...]:
        """Return the paths of *registry* that have logins of their own. Raises ConfigError."""
        logins = self._section("auths")
        places = {key: _place(key) for key in logins}
        return tuple(
            place.partition("/")[2]
            for key, place in places.items()
            if place.startswith(f"{registry}/")
            and self._credentials(f"auths.{key}", logins[key]) is not None
        )

    def keep(self, registry: str, credentials: Credentials) -> None:
        """Put a login in the place of those that *registry* has."""
        if ":" in credentials.username:
            raise ConfigError("a user name has no colon")
        self.forget(registry)
        pair = f"{credentials.username}:{credentials.password}".encode()
        entry = {"auth": base64.b64encode(pair).decode("ascii")}
        if credentials.identity_token:
            entry["identitytoken"] = credentials.identity_token
        self.content["auths"] = {**self._section("auths"), server_name(registry): entry}

    def forget(self, registry: str) -> bool:
        """Remove the logins of *registry*; False if there were none."""
        logins = self._section("auths")
        keys = _keys(logins, registry)
        for key in keys:
            del logins[key]
        return bool(keys)

    def write(self) -> None:
        """Write the file in one piece, for its owner alone, as Docker indents it."""
        path = Path(os.path.realpath(self.path))  # a link stays one
        text = json.dumps(self.content, indent="\t", ensure_ascii=False) + "\n"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(path, text.encode())
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from None

    def _section(self, name: str) -> dict[str, Any]:
        section = self.content.get(name)
        if section is None:
            return {}
        if not isinstance(section, dict):
            raise ConfigError(f"{self.path}: {name} is not an object")
        return section

    def _text(self, value: Any, where: str) -> str:
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{self.path}: {where} is not text")
        return value or ""

    def _credentials(self, where: str, entry: Any) -> Credentials | None:
        """Read one login; Docker leaves an empty one behind for what a helper keeps."""
        if not isinstance(entry, dict):
            raise ConfigError(f"{self.path}: {where} is not an object")
        parts = {
            name: self._text(entry.get(name), f"{where}.{name}")
            for name in ("auth", "username", "password", "identitytoken")
        }
        username, password = parts["username"], parts["password"]
        if parts["auth"]:
            username, password = self._decoded(where, parts["auth"])
        if not password and not parts["identitytoken"]:
            return None
        return Credentials(username, password, parts["identitytoken"])

    def _decoded(self, where: str, auth: str) -> tuple[str, str]:
        try:
            pair = base64.b64decode(auth, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise ConfigError(f"{self.path}: {where}.auth is not base64 of text") from None
        username, colon, password = pair.partition(":")
        if not colon:
            raise ConfigError(f"{self.path}: {where}.auth is not of the form user:password")
        return username, password.strip("\0")  # some versions of Docker pad it


def _keys(section: Iterable[str], registry: str) -> list[str]:
    """Return the keys that name *registry*, or a place there, the one that Docker writes first."""
    keys = [key for key in section if _place(key) == registry]
    return sorted(keys, key=lambda key: (key != server_name(registry), key != registry))


def _place(key: str) -> str:
    """Return the host of a key, with the path where it is for less; empty if it is for neither."""
    scheme, separator, place = key.rpartition("://")
    host, slash, path = place.partition("/")
    if not separator:
        return f"{canonical_registry(host)}{slash}{path}" if host else ""
    is_host = scheme in ("https", "http") and path in _OLD_PATHS
    return canonical_registry(host) if is_host else ""


def _replace(path: Path, content: bytes) -> None:
    """Put *content* in the place of a file at once; ``mkstemp`` gives it to its owner alone."""
    descriptor, name = tempfile.mkstemp(prefix=".config-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
