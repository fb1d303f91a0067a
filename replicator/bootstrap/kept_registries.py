"""Registries that the database keeps, and what checks have shown of registries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from replicator.bootstrap.clock import now
from replicator.bootstrap.databases import open_database, open_existing

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.registry.facts import Facts
    from replicator.service.desks.registry_desk import RegistryDesk
    from replicator.store.database import Database
    from replicator.store.registry_facts import KeptFacts


async def with_kept_registries(config: Config, database: Database | None = None) -> Config:
    """Return *config* with the registries that the database keeps; those of the file go first."""
    from replicator.config.kept_registries import with_kept
    from replicator.store.kept_settings import kept_settings

    if database is not None:
        return with_kept(config, await kept_settings(database))
    async with open_existing(config) as opened:
        return config if opened is None else await with_kept_registries(config, opened)


@asynccontextmanager
async def open_registry_desk(config: Config) -> AsyncIterator[RegistryDesk]:
    """Open the registries that the database keeps; an embedded one is made on the spot."""
    async with open_database(config) as database:
        yield registry_desk(config, database)


def registry_desk(config: Config, database: Database) -> RegistryDesk:
    """Build what changes registries in a database that is open."""
    from replicator.config.kept_registries import read_kept
    from replicator.service.desks.registry_desk import RegistryDesk
    from replicator.store.credentials import Credentials
    from replicator.store.registries import KeptRegistries

    kept, logins = KeptRegistries(database), Credentials(database)
    return RegistryDesk(kept, logins, check=read_kept, of_file=config.registries)


async def keep_facts(config: Config, name: str, facts: Facts) -> bool:
    """Keep what a check has shown; False where there is no database yet. Raises StoreError."""
    from replicator.store.registry_facts import RegistryFacts

    async with open_existing(config) as database:
        if database is None:
            return False
        await RegistryFacts(database).keep(name, facts, now())
        return True


async def kept_facts(config: Config, name: str) -> KeptFacts | None:
    """Return what earlier checks of a registry have shown, None if there is nothing."""
    from replicator.store.registry_facts import RegistryFacts

    async with open_existing(config) as database:
        return None if database is None else (await RegistryFacts(database).all()).get(name)
