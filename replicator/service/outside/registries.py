"""Registries: one client for each registry, opened when it is first needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from replicator.events import Listener, ignore, to_all
from replicator.oci.reference import RepositoryName
from replicator.registry.keychain import Keychain
from replicator.registry.logins_by_path import login_for
from replicator.registry.settings import RegistrySettings
from replicator.service.outside.protocols import OpenRegistry, Registry, Repository
from replicator.service.outside.requests import count_request


class Registries:
    """Opens repositories with the settings of their registry.

    *settings* are those of configured hosts; any other host gets the defaults. A registry's
    limits and tokens are shared by all who use it here, so there is one of these in a process.
    *listener* hears what happens in all of them, *configured* has the logins of the configuration.
    """

    def __init__(
        self,
        settings: Mapping[str, RegistrySettings],
        *,
        open_registry: OpenRegistry,
        open_layout: Callable[[Path], Repository],
        listener: Listener = ignore,
        configured: Keychain | None = None,
    ) -> None:
        self._settings = settings
        self._configured = configured
        self._open_registry = open_registry
        self._listener = to_all(count_request, listener)
        self._open_layout = open_layout
        self._registries: dict[str, Registry] = {}
        self._among = 1

    def repository(self, name: RepositoryName) -> Repository:
        """Open a repository, or an image layout on disk; asks nobody anything yet."""
        if name.is_layout:
            return self._open_layout(Path(name.path))
        return self._registry(name.registry).repository(name.path)

    def list_repositories(self, host: str, under: str) -> AsyncIterator[tuple[str, ...]]:
        """List the paths of a registry's repositories that begin with *under*, page by page."""
        return self._registry(host).list_repositories(under)

    async def require_logins(self, places: Iterable[tuple[str, str]]) -> None:
        """Make sure that the secrets that the configuration names for *places* can be read.

        A place is a host and what is used of it: a path may have a login of its own. Raises
        ConfigError that names the registry.
        """
        if self._configured is not None:
            for name in dict.fromkeys(name for place in places for name in self._logins(*place)):
                await self._configured.credentials_for(name)

    def divide_limits(self, among: int) -> None:
        """Keep to one part of each registry's limits, as so many processes share them."""
        self._among = among
        for registry in self._registries.values():
            registry.divide_limits(among)

    async def aclose(self) -> None:
        """Close all connections."""
        while self._registries:
            _, registry = self._registries.popitem()
            await registry.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _logins(self, host: str, path: str) -> tuple[str, ...]:
        settings = self._settings.get(host)
        prefix = login_for(path, settings.logins) if settings else ""
        return (host, f"{host}/{prefix}") if prefix else (host,)

    def _registry(self, host: str) -> Registry:
        registry = self._registries.get(host)
        if registry is None:
            settings = self._settings.get(host) or RegistrySettings(host)
            registry = self._open_registry(settings, listener=self._listener)
            registry.divide_limits(self._among)
            self._registries[host] = registry
        return registry
