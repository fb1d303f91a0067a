"""What is remembered, for those who look at it or write a line of it: rules, runs, the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from replicator.bootstrap.databases import open_database, open_existing, open_required, runs_of

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.service.rules.rulebook import Rulebook
    from replicator.store.audit_trail import Audit
    from replicator.store.queue import Queue
    from replicator.store.runs import Runs


@asynccontextmanager
async def open_rulebook(config: Config, *, writes: bool = False) -> AsyncIterator[Rulebook]:
    """Open the rules. Without a database there are those of the file alone.

    Whoever *writes* needs one: an embedded database is made on the spot.
    """
    from replicator.service.rules.rulebook import NoRules, Rulebook
    from replicator.store.rules import Rules

    async with open_database(config) if writes else open_existing(config) as database:
        yield Rulebook(
            NoRules() if database is None else Rules(database), config.rules, config.path
        )


@asynccontextmanager
async def open_runs(config: Config) -> AsyncIterator[Runs]:
    """Open the history. Raises StoreError if there is none, or the database cannot be used."""
    async with open_required(config) as database:
        yield runs_of(database)


@asynccontextmanager
async def open_queue(config: Config) -> AsyncIterator[Queue]:
    """Open the runs that are not finished. Raises StoreError if there is no database."""
    from replicator.store.queue import Queue

    async with open_required(config) as database:
        yield Queue(database)


@asynccontextmanager
async def open_audit(config: Config) -> AsyncIterator[Audit]:
    """Open the audit. Raises StoreError if there is no database yet."""
    from replicator.store.audit_trail import Audit

    async with open_required(config) as database:
        yield Audit(database)


async def write_down(config: Config, action: str, kind: str, name: str) -> None:
    """Write down in the audit what somebody asked for. Raises StoreError."""
    from replicator.store.audit import Change

    async with open_audit(config) as audit:
        await audit.add(Change(action, kind, name))
