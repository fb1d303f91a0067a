"""How registries are reached that no configuration file knows, for those who only read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from replicator.store.database import Database
from replicator.store.prepared.statements import KEPT_SETTINGS


async def kept_settings(database: Database) -> dict[str, Mapping[str, Any]]:
    """Return the settings of all registries that the database keeps, by name."""
    return {row.name: row.settings for row in await database.ask(KEPT_SETTINGS)}
