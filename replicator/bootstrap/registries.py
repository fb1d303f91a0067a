"""What speaks to registries, with the logins of the configuration."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from replicator.bootstrap.keychains import keychain, named_secrets, with_paths
from replicator.config.proxies import with_proxy
from replicator.registry.client import open_registry

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.events import Listener
    from replicator.planning.rule import Rule
    from replicator.registry.client import Registry
    from replicator.registry.facts import Facts
    from replicator.registry.keychain import Keychain
    from replicator.registry.pull_budget import SharedPulls
    from replicator.registry.settings import Credentials, RegistrySettings
    from replicator.service.outside.protocols import Repository
    from replicator.service.outside.registries import Registries


@asynccontextmanager
async def open_registries(
    config: Config,
    *,
    listener: Listener,
    facts: Mapping[str, Facts] | None = None,
    pulls: SharedPulls | None = None,
) -> AsyncIterator[Registries]:
    """Build what opens repositories; nothing is sent yet.

    *facts* are from earlier checks; *pulls* says what others draw on the same limits.
    """
    from replicator.service.outside.registries import Registries

    entries = {
        name: with_proxy(entry.settings, os.environ) for name, entry in config.registries.items()
    }
    opened = partial(
        open_registry, keychain=keychain(config), entries=entries, facts=facts, pulls=pulls
    )

    def open_one(settings: RegistrySettings, *, listener: Listener) -> Registry:
        settings = with_proxy(with_paths(settings, config), os.environ)
        return opened(settings, listener=listener)

    async with Registries(
        entries,
        open_registry=open_one,
        open_layout=_open_layout,
        listener=listener,
        configured=named_secrets(config),
    ) as registries:
        yield registries


@asynccontextmanager
async def open_one_registry(
    config: Config, name: str, *, logins: Keychain | None = None
) -> AsyncIterator[Registry]:
    """Open the client of one registry, with its own logins unless others are given."""
    from replicator.registry.settings import RegistrySettings

    entry = config.registries.get(name)
    settings = with_proxy(entry.settings if entry else RegistrySettings(name), os.environ)
    if logins is None:
        settings, logins = with_paths(settings, config), keychain(config)
    registry = open_registry(settings, keychain=logins)
    try:
        yield registry
    finally:
        await registry.aclose()


async def check_login(config: Config, name: str, credentials: Credentials) -> bool:
    """Make sure that a registry takes *credentials*, and say whether it asks for any.

    Raises Unauthorized.
    """
    from replicator.registry.keychain import Given

    async with open_one_registry(config, name, logins=Given(name, credentials)) as registry:
        return bool(await registry.check_login())


async def check_listable(config: Config, rules: Sequence[Rule]) -> None:
    """Make sure that the patterns of *rules* can be listed. Raises ConfigError."""
    from replicator.events import ignore
    from replicator.service.looking.listable import check_listable

    async with open_registries(config, listener=ignore) as registries:
        await check_listable(rules, registries)


def _open_layout(folder: Path) -> Repository:
    from replicator.layout.layout import open_layout

    return open_layout(folder)
