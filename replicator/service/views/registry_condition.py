"""RegistryConditions: what is known of how registries behave and what they still allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from replicator.registry.facts import Facts
from replicator.service.access.identity import Identity
from replicator.store.pull_budgets import PullsLeft
from replicator.store.registry_facts import KeptFacts
from replicator.values import dataclass


class AllFacts(Protocol):
    async def all(self) -> Mapping[str, KeptFacts]: ...


class Budgets(Protocol):
    async def all(self) -> Mapping[str, PullsLeft]: ...


@dataclass(frozen=True, slots=True)
class Condition:
    """Of one registry: what trying it has shown, the pulls that are left, and how often it turned
    requests of this process away."""

    facts: Facts | None = None
    tried_at: datetime | None = None
    pulls: PullsLeft | None = None
    throttled: int = 0


class RegistryConditions:
    """Shows conditions by the name of the registry, to those who see everything."""

    def __init__(
        self, facts: AllFacts, budgets: Budgets, throttled: Callable[[], Mapping[str, int]]
    ) -> None:
        self._facts = facts
        self._budgets = budgets
        self._throttled = throttled

    async def all(self, who: Identity) -> dict[str, Condition]:
        """Return what is known of all registries."""
        if not who.sees_all:
            return {}
        facts, budgets = await self._facts.all(), await self._budgets.all()
        throttled = self._throttled()
        return {
            name: Condition(
                facts[name].facts if name in facts else None,
                facts[name].at if name in facts else None,
                budgets.get(name),
                throttled.get(name, 0),
            )
            for name in {*facts, *budgets, *throttled}
        }
