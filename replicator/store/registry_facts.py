"""RegistryFacts: what trying registries has shown, and when that was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from replicator.registry.facts import Facts
from replicator.store.database import Database
from replicator.store.prepared.statements import ALL_FACTS, KEEP_FACTS
from replicator.values import dataclass

# A registry may have been replaced by a newer version since.
_BELIEVED_FOR: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class KeptFacts:
    """What was found out about a registry, and when the last of it was."""

    facts: Facts
    at: datetime


class RegistryFacts:
    """Keeps what was found out about each registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, registry: str, facts: Facts, at: datetime) -> None:
        """Add *facts* to what is known of a registry. A check without writing shows less."""
        kept = (await self.all()).get(registry)
        if kept is not None:
            facts = kept.facts.newer(facts)
        row = {
            "registry": registry,
            "kind": facts.kind,
            "facts": facts.to_json(),
            "probed_at": at,
        }
        async with self._database.noting() as connection:
            await connection.execute(KEEP_FACTS, row)

    async def all(self) -> dict[str, KeptFacts]:
        """Return what is known of all registries, by name."""
        return {
            row.registry: KeptFacts(Facts.from_json(row.facts), row.probed_at)
            for row in await self._database.ask(ALL_FACTS)
        }

    async def believed(self, now: datetime) -> dict[str, Facts]:
        """Return what was found lately enough to begin with."""
        kept = await self.all()
        return {name: each.facts for name, each in kept.items() if now - each.at < _BELIEVED_FOR}
