"""What the repositories of one run share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import field
from datetime import datetime
from typing import Self
from weakref import WeakValueDictionary

from replicator.oci.platform import Platform
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.content import ContentFilter
from replicator.planning.planner import Planner, Policy
from replicator.planning.prepared import PreparedRule
from replicator.service.looking.destination_view import DestinationView
from replicator.service.looking.freshness import Freshness
from replicator.service.looking.ledger_reader import LedgerReader
from replicator.service.looking.only import Only
from replicator.service.looking.shared_sources import SharedSources
from replicator.service.outside.protocols import Copier, Ledger
from replicator.service.outside.registries import Registries
from replicator.service.records.journal import Journal
from replicator.service.running.copy_slots import CopySlots
from replicator.service.running.pruning import Pruning
from replicator.values import dataclass


@dataclass(slots=True)
class RunContext:
    """What the repositories of one run share.

    *tags* bounds how many tags are under way, *images* how many of them are copied at once; who
    holds one of the first may wait for one of the second, and for nothing else. *only* limits the
    run to some tags.
    """

    rule: PreparedRule
    journal: Journal
    sources: SharedSources
    registries: Registries
    copier: Copier
    ledger: Ledger
    rows: LedgerReader
    freshness: Freshness
    clock: Callable[[], datetime]
    require_lease: Callable[[], None]
    tags: asyncio.Semaphore
    images: CopySlots
    only: Only | None = None
    pruning: Pruning = field(init=False)
    _views: WeakValueDictionary[RepositoryName, DestinationView] = field(
        init=False, default_factory=WeakValueDictionary
    )

    def __post_init__(self) -> None:
        self.pruning = Pruning(
            self.rule.rule,
            self.journal,
            self.ledger,
            clock=self.clock,
            view=self.view,
            require_lease=self.require_lease,
        )

    def view(self, name: RepositoryName) -> DestinationView:
        """Return the view of a destination, shared by all who hold it: sources may meet there."""
        view = self._views.get(name)
        if view is None:
            view = self._views[name] = DestinationView(self.registries.repository(name))
        return view


@dataclass(frozen=True, slots=True)
class Handling:
    """How tags of one kind are treated: those that the rule selects, or those of signatures.

    *scope* is what the ledger remembers of *platforms*, *foreign_layers* and *repoints*.
    """

    planner: Planner
    platforms: tuple[Platform, ...] = ()
    referrers: bool = False
    foreign_layers: bool = False
    scope: str = ""
    is_immutable: Callable[[Tag], bool] = lambda tag: False
    content: ContentFilter | None = None
    repoints: bool = False
    thorough: bool = False
    is_counted: bool = True

    @classmethod
    def of_selected(cls, rule: PreparedRule) -> Self:
        """Treat tags as *rule* says."""
        options = rule.rule
        return cls(
            Planner(Policy.of(rule)),
            options.platforms,
            options.referrers,
            options.foreign_layers,
            rule.scope,
            rule.is_immutable,
            rule.selector.content or None,
            rule.repoints,
        )

    @classmethod
    def of_digest_tags(cls, rule: PreparedRule) -> Self:
        """Treat ``sha256-….sig`` and the like: whole, and with nothing that refers to them.

        They came with their images, so that those in step are not counted as tags.
        """
        return cls(Planner(Policy(rule.rule.overwrite)), foreign_layers=True, is_counted=False)
