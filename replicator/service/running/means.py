"""Means: what every run of this process is carried out with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from datetime import datetime

from replicator.planning.prepared import PreparedRule
from replicator.planning.rule import Rule
from replicator.service.looking.freshness import Freshness
from replicator.service.looking.ledger_reader import LedgerReader
from replicator.service.looking.only import Only
from replicator.service.looking.shared_sources import SharedSources
from replicator.service.outside.protocols import Actions, Copier, Ledger, Notes
from replicator.service.outside.registries import Registries
from replicator.service.processes.lease import not_needed
from replicator.service.records.journal import Journal
from replicator.service.records.run_notes import RunNotes
from replicator.service.running.copy_slots import CopySlots, Valve
from replicator.service.running.run_context import RunContext
from replicator.store.records import RunRecord
from replicator.transfer.concurrency import first_error
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class RunLimits:
    """How much goes on at once: *rules* of a runner; the rest, of each rule.

    How many requests there are at once is for the registries' own limits to say; these keep
    enough of them waiting, and memory flat.
    """

    rules: int = 32
    repositories: int = 32
    tags: int = 128
    images: int = 50


@dataclass(frozen=True, slots=True)
class Room:
    """How much more of one run may begin in this process."""

    tags: asyncio.Semaphore
    images: CopySlots


@dataclass(slots=True)
class Means:
    """What runs share: registries, transfer and database. *clock* is in UTC.

    *require_lease* is called before a tag is removed, and raises LeaseLost.
    """

    registries: Registries
    copier: Copier
    ledger: Ledger
    notes: Notes
    clock: Callable[[], datetime]
    freshness: Freshness
    limits: RunLimits = field(default_factory=RunLimits)
    valve: Valve = field(default_factory=Valve)
    require_lease: Callable[[], None] = not_needed
    rows: LedgerReader = field(init=False)

    def __post_init__(self) -> None:
        self.rows = LedgerReader(self.ledger)

    def room(self) -> Room:
        """Make the room of one run."""
        images = CopySlots(self.limits.images, self.valve)
        return Room(asyncio.Semaphore(self.limits.tags), images)

    def journal(
        self,
        rule: Rule,
        actions: Actions,
        *,
        retry: bool,
        record: RunRecord | None = None,
        ledger: Ledger | None = None,
    ) -> Journal:
        """Make the journal of a run, or of an item; *ledger* takes its rows."""
        return Journal(
            rule,
            ledger=ledger or self.ledger,
            actions=actions,
            notes=RunNotes(rule.name, self.notes, clock=self.clock, retry=retry),
            clock=self.clock,
            record=record,
        )

    def context(
        self,
        rule: PreparedRule,
        journal: Journal,
        *,
        room: Room | None = None,
        sources: SharedSources | None = None,
        only: Only | None = None,
        ledger: Ledger | None = None,
    ) -> RunContext:
        """Put together what the repositories of one run share."""
        room = room or self.room()
        return RunContext(
            rule,
            journal,
            sources or SharedSources(self.registries, [rule.source]),
            self.registries,
            self.copier,
            ledger or self.ledger,
            self.rows,
            self.freshness,
            self.clock,
            self.require_lease,
            tags=room.tags,
            images=room.images,
            only=only,
        )


@contextmanager
def single_error() -> Iterator[None]:
    """Raise the error of a task by itself, as if it had run alone."""
    try:
        yield
    except ExceptionGroup as failures:
        error = first_error(failures)
        raise error from error.__cause__
