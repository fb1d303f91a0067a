"""KeptRegistries: how registries are reached that no configuration file knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import RegistryNotFound
from replicator.store.audit import Change, append
from replicator.store.credentials import clear_secrets
from replicator.store.database import Database
from replicator.store.kept_settings import kept_settings
from replicator.store.prepared.alchemy import AlchemyTransaction
from replicator.store.tables import registry

# What says to whom a secret is sent, and who can read it on the way.
_REACH: Final = (
    *("endpoint", "api_endpoint", "plain_http", "insecure", "proxy"),
    *("token_origins", "upload_origins", "allowed_networks"),
)


class KeptRegistries:
    """Keeps the settings of registries, in the words of the configuration file.

    When a registry is to be reached in another way, all secrets that are kept for it are cleared,
    also those that its entry does not use: else whoever may change the address could have them sent
    to himself, now or by using them later.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, Mapping[str, Any]]:
        """Return the settings of all registries, by name."""
        return await kept_settings(self._database)

    async def put(self, name: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Keep a registry; return the names of credentials whose secret was cleared."""
        row = {
            "name": name,
            "kind": settings.get("kind", ""),
            "settings": dict(settings),
            "updated_at": datetime.now(UTC),
        }
        async with self._database.writing() as connection:
            before = await _settings(connection, name)
            if before is None:
                await connection.execute(insert(registry), row)
            else:
                changed = update(registry).where(registry.c.name == name)
                await connection.execute(changed.values(row))
            action = "create" if before is None else "change"
            change = Change(action, "registry", name, old=before, new=settings)
            return await _write_down(connection, change)

    async def delete(self, name: str) -> tuple[str, ...]:
        """Forget a registry; return as ``put`` does. Raises RegistryNotFound."""
        async with self._database.writing() as connection:
            before = await _settings(connection, name)
            if before is None:
                raise RegistryNotFound(f"the database keeps no registry {name!r}")
            await connection.execute(delete(registry).where(registry.c.name == name))
            return await _write_down(connection, Change("delete", "registry", name, old=before))


async def _settings(connection: AsyncConnection, name: str) -> Mapping[str, Any] | None:
    query = select(registry.c.settings).where(registry.c.name == name)
    found: Mapping[str, Any] | None = await connection.scalar(query)
    return found


async def _write_down(connection: AsyncConnection, change: Change) -> tuple[str, ...]:
    """Clear what was for the registry as it was reached before, and write all of it down."""
    old, new = change.old or {}, change.new or {}
    changes = [change]
    if any(old.get(key) != new.get(key) for key in _REACH):
        changes += await clear_secrets(connection, change.name, datetime.now(UTC))
    await append(AlchemyTransaction(connection), changes)
    return tuple(each.name for each in changes if each.action == "clear")
