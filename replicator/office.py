"""Office: all that programs and pages may ask a service for, built once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from replicator import bootstrap
from replicator.config import Config, RegistryEntry
from replicator.events import ignore
from replicator.registry.probe import Finding, probe
from replicator.service.audit_views import AuditViews
from replicator.service.explaining import Explainer
from replicator.service.registry_views import KnownRegistry, RegistryViews
from replicator.service.rule_views import RuleViews
from replicator.service.rulebook import Rulebook
from replicator.service.run_views import RunViews
from replicator.service.tag_views import TagViews
from replicator.store.audit import Audit
from replicator.store.database import Database
from replicator.store.history import History
from replicator.store.ledger import Ledger
from replicator.store.notes import TagNotes
from replicator.store.places import Places
from replicator.store.run_pages import RunPages


@dataclass(frozen=True, slots=True)
class Office:
    """What may be asked, by subject; each answer depends on who asks."""

    rules: RuleViews
    runs: RunViews
    tags: TagViews
    registries: RegistryViews
    audit: AuditViews


@asynccontextmanager
async def open_office(
    config: Config, database: Database, rulebook: Rulebook
) -> AsyncIterator[Office]:
    """Build the office of a service that uses *database*."""
    notes, history = TagNotes(database), History(database)
    async with bootstrap.open_registries(config, listener=ignore) as registries:
        explainer = Explainer(
            registries=registries,
            ledger=Ledger(database),
            notes=notes,
            history=history,
            clock=_now,
        )
        rules = RuleViews(rulebook, history=history, notes=notes, clock=_now)

        async def known() -> Mapping[str, KnownRegistry]:
            return {name: _known(entry) for name, entry in config.registries.items()}

        async def check(name: str, repository: str | None) -> Sequence[Finding]:
            async with bootstrap.open_one_registry(config, name) as registry:
                return [finding async for finding in probe(registry, repository)]

        yield Office(
            rules=rules,
            runs=RunViews(RunPages(database)),
            tags=TagViews(explainer, Places(database), rules),
            registries=RegistryViews(known, check),
            audit=AuditViews(Audit(database)),
        )


def _known(entry: RegistryEntry) -> KnownRegistry:
    credential = entry.credential
    login = "docker" if credential is None else (credential.username or "identity token")
    return KnownRegistry(entry.settings, login, "file")


def _now() -> datetime:
    return datetime.now(UTC)
