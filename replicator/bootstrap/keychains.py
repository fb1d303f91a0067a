"""What finds credentials: in the configuration, the database, clouds, and Docker's logins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from replicator.bootstrap.docker_logins import docker_config_file
from replicator.registry.cloud.keychain import CloudKeychain
from replicator.registry.docker_config import DockerKeychain
from replicator.registry.keychain import ConfiguredKeychain, FirstOf

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.registry.keychain import Keychain
    from replicator.registry.settings import Credentials, CredentialSource


def keychain(config: Config) -> Keychain:
    """Build what finds credentials: the configuration's and the clouds' first, then Docker's."""
    named = _named_logins(config)
    clouds = {name: source.cloud for name, source in named.items() if source.cloud is not None}
    configured = FirstOf(named_secrets(config), CloudKeychain(clouds))
    if not config.service.docker_config:
        return configured
    return FirstOf(configured, DockerKeychain(docker_config_file(os.environ)))


def named_secrets(config: Config) -> Keychain:
    """Build what reads the secrets that the configuration and the database have."""
    named = _named_logins(config)
    stored = {name: source.stored for name, source in named.items() if source.stored}
    return FirstOf(
        ConfiguredKeychain(named, os.environ),
        *([_stored_keychain(config, stored)] if stored else ()),
    )


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


def _stored_keychain(config: Config, names: Mapping[str, str]) -> Keychain:
    """Build what finds credentials in the database, which is opened for each look."""
    from replicator.bootstrap.kept_secrets import open_credentials
    from replicator.service.credentials import StoredKeychain

    async def reveal(name: str, registry: str) -> Credentials:
        async with open_credentials(config) as desk:
            return await desk.reveal(name, registry)

    return StoredKeychain(names, reveal)
