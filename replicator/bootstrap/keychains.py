"""What finds credentials: in the configuration, the database, clouds, and Docker's logins."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from replicator.bootstrap.docker_logins import login_files
from replicator.errors import ConfigError
from replicator.registry.docker_config import DockerKeychain, paths_with_logins
from replicator.registry.keychain import ConfiguredKeychain, FirstOf
from replicator.registry.logins_by_path import login_for

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.registry.keychain import Keychain
    from replicator.registry.settings import (
        Cloud,
        Credentials,
        CredentialSource,
        RegistrySettings,
    )


def keychain(config: Config) -> Keychain:
    """Build what finds credentials: the configuration's and the clouds' first, then Docker's."""
    named = _named_logins(config)
    clouds = {name: source.cloud for name, source in named.items() if source.cloud is not None}
    configured = FirstOf(named_secrets(config), *([_cloud_keychain(clouds)] if clouds else ()))
    if not config.service.docker_config:
        return configured
    return FirstOf(configured, *map(DockerKeychain, login_files(os.environ)))


def with_paths(settings: RegistrySettings, config: Config) -> RegistrySettings:
    """Add to the paths that have a login of their own those of which Docker's logins know.

    What the configuration has a login for is not looked up anywhere else, nor what is below it.
    Raises ConfigError.
    """
    entry = config.registries.get(settings.name)
    if not config.service.docker_config or (entry and entry.credential):
        return settings
    found = dict.fromkeys(
        path
        for file in login_files(os.environ)
        for path in paths_with_logins(file, settings.name)
        if not login_for(path, settings.logins)
    )
    return replace(settings, logins=(*settings.logins, *found)) if found else settings


def named_secrets(config: Config) -> Keychain:
    """Build what reads the secrets that the configuration and the database have."""
    named = _named_logins(config)
    stored = {name: source.stored for name, source in named.items() if source.stored}
    return FirstOf(
        ConfiguredKeychain(named, os.environ),
        *([_stored_keychain(config, stored)] if stored else ()),
    )


async def unreadable_logins(config: Config) -> Sequence[str]:
    """Return what is wrong with the logins that the configuration names, as far as it can be seen
    without asking anybody."""
    secrets, found = named_secrets(config), []
    for name in _named_logins(config):
        try:
            await secrets.credentials_for(name)
        except ConfigError as error:
            found.append(str(error))
    return found


def _named_logins(config: Config) -> dict[str, CredentialSource]:
    """Return where each login of the configuration is, by host, or by host and path."""
    named = {
        name: entry.credential
        for name, entry in config.registries.items()
        if entry.credential is not None
    }
    for name, entry in config.registries.items():
        named |= {f"{name}/{path}": source for path, source in entry.logins.items()}
    return named


def _cloud_keychain(clouds: Mapping[str, Cloud]) -> Keychain:
    from replicator.registry.cloud.keychain import CloudKeychain

    return CloudKeychain(clouds)


def _stored_keychain(config: Config, names: Mapping[str, str]) -> Keychain:
    """Build what finds credentials in the database, which is opened for each look."""
    from replicator.bootstrap.kept_secrets import open_credentials
    from replicator.service.access.credentials import StoredKeychain

    async def reveal(name: str, registry: str) -> Credentials:
        async with open_credentials(config) as desk:
            return await desk.reveal(name, registry)

    return StoredKeychain(names, reveal)
