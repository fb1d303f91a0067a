"""RegistryDesk: where registries are added that no configuration file knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from replicator.errors import ConfigError, CredentialNotFound, RegistryNotFound


class Kept(Protocol):
    """Keeps the settings of registries."""

    async def all(self) -> Mapping[str, Mapping[str, Any]]: ...

    async def put(self, name: str, settings: Mapping[str, Any]) -> tuple[str, ...]: ...

    async def delete(self, name: str) -> tuple[str, ...]: ...


class Login(Protocol):
    """A login that is kept; of it the registry that it is for is all that matters here."""

    @property
    def host(self) -> str: ...


class Logins(Protocol):
    """Knows the logins that are kept."""

    async def get(self, name: str) -> Login: ...


class RegistryDesk:
    """Keeps registries in the database, unless the configuration file has them.

    *check* raises ConfigError for settings that are of no use; *logins* are those that settings may
    name. The runs of a service go by what was kept when it started.
    """

    def __init__(
        self,
        kept: Kept,
        logins: Logins,
        *,
        check: Callable[[str, Mapping[str, Any]], object],
        of_file: Collection[str],
    ) -> None:
        self._kept = kept
        self._logins = logins
        self._check = check
        self._of_file = of_file

    async def settings(self, name: str) -> Mapping[str, Any]:
        """Return what is kept of a registry. Raises RegistryNotFound, ConfigError."""
        self._refuse_of_file(name)
        kept = await self._kept.all()
        if name not in kept:
            raise RegistryNotFound(f"the database keeps no registry {name!r}")
        return kept[name]

    async def put(self, name: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Keep a registry; return the credentials whose secret was cleared by that.

        Raises ConfigError.
        """
        self._refuse_of_file(name)
        self._check(name, settings)
        await self._check_login(name, settings)
        return await self._kept.put(name, settings)

    async def delete(self, name: str) -> tuple[str, ...]:
        """Forget a registry; return as ``put`` does. Raises RegistryNotFound, ConfigError."""
        self._refuse_of_file(name)
        return await self._kept.delete(name)

    async def _check_login(self, name: str, settings: Mapping[str, Any]) -> None:
        """Find a login that is named and is not there: each run would fail for want of it."""
        login = settings.get("credential", {}).get("stored")
        if login is None:
            return
        where = f'registries."{name}".credential.stored'
        try:
            host = (await self._logins.get(login)).host
        except CredentialNotFound:
            raise ConfigError(
                f"{where}: there is no credential {login!r}; "
                f"`replicate credential set {login} --host {name}` makes it"
            ) from None
        if host != name:
            raise ConfigError(
                f"{where}: the credential {login!r} is for {host}; set another one for {name}"
            )

    def _refuse_of_file(self, name: str) -> None:
        if name in self._of_file:
            raise ConfigError(f"{name} comes from a configuration file; change it there")
