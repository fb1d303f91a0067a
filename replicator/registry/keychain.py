"""Keychains: where the credentials of a registry are found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from replicator.errors import ConfigError
from replicator.registry.settings import Credentials, CredentialSource

# In bytes; more is not a secret but a mistake.
_MAX_SECRET: Final = 64 * 1024


class Keychain(Protocol):
    """Finds the credentials for a registry, by its exact name and no other."""

    async def credentials_for(self, registry: str) -> Credentials | None:
        """Return the credentials, or None if there are none for *registry*.

        Raises ConfigError if there should be some but they cannot be read: nobody is made
        anonymous by a mistake.
        """
        ...


class ConfiguredKeychain:
    """The credentials that the configuration names, read each time they are asked for."""

    def __init__(
        self, sources: Mapping[str, CredentialSource], environment: Mapping[str, str]
    ) -> None:
        self._sources = sources
        self._environment = environment

    async def credentials_for(self, registry: str) -> Credentials | None:
        """Return what the entry of *registry* says. Raises ConfigError if it cannot be read.

        What it leaves to a cloud, or to the database, is not found here.
        """
        source = self._sources.get(registry)
        if source is None or source.cloud is not None or source.stored:
            return None
        return Credentials(
            username=source.username,
            password=self._secret(
                registry,
                "password",
                source.password,
                source.password_env,
                source.password_file,
            ),
            identity_token=self._secret(
                registry,
                "identity_token",
                source.identity_token,
                source.identity_token_env,
                source.identity_token_file,
            ),
        )

    def _secret(self, registry: str, key: str, value: str, variable: str, file: Path | None) -> str:
        if variable:
            if not self._environment.get(variable):
                raise ConfigError(f"{registry}: the environment variable {variable} is not set")
            return self._environment[variable]
        return value if file is None else _read_secret(f"{registry}: {key}_file", file)


class FirstOf:
    """Several keychains; the first that has credentials for a registry decides."""

    def __init__(self, *keychains: Keychain) -> None:
        self._keychains = keychains

    async def credentials_for(self, registry: str) -> Credentials | None:
        for keychain in self._keychains:
            credentials = await keychain.credentials_for(registry)
            if credentials is not None:
                return credentials
        return None


class Given:
    """Credentials for one registry that are at hand, such as those of a login being checked."""

    def __init__(self, registry: str, credentials: Credentials | None) -> None:
        self._registry = registry
        self._credentials = credentials

    async def credentials_for(self, registry: str) -> Credentials | None:
        return self._credentials if registry == self._registry else None


def _read_secret(where: str, file: Path) -> str:
    """Read a secret without the line end that editors and ``echo`` put behind it."""
    try:
        with file.open("rb") as content:
            secret = content.read(_MAX_SECRET + 1)
        text = secret.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{where} {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{where} {file} is not text") from None
    if not text or len(secret) > _MAX_SECRET:
        raise ConfigError(f"{where} {file} is empty or too large to be a secret")
    return text
