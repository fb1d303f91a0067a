"""What answers questions about rules and tags, and takes the wish for a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from replicator.bootstrap.databases import open_required, runs_of
from replicator.service.rules.rulebook import Rulebook
from replicator.store.rules import Rules

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.service.desks.desk import Desk
    from replicator.service.looking.explaining import Explainer
    from replicator.service.rules.status import RuleStatus


@asynccontextmanager
async def open_desk(config: Config) -> AsyncIterator[Desk]:
    """Open where a service is asked for runs. Raises StoreError if there is no database."""
    from replicator.service.desks.desk import Desk
    from replicator.store.queue import Queue
    from replicator.store.services import is_served

    async with open_required(config, made_by="serve") as database:
        yield Desk(
            rulebook=Rulebook(Rules(database), config.rules, config.path),
            runs=runs_of(database),
            queue=Queue(database),
            is_served=lambda: is_served(database, database.clock()),
            clock=database.clock,
        )


@asynccontextmanager
async def open_explainer(config: Config) -> AsyncIterator[tuple[Explainer, Rulebook]]:
    """Build what explains tags. Raises StoreError if there is no database yet."""
    from replicator.bootstrap.registries import open_registries
    from replicator.events import ignore
    from replicator.service.looking.explaining import Explainer
    from replicator.store.history import History
    from replicator.store.ledger import Ledger
    from replicator.store.notes import TagNotes

    async with (
        open_required(config) as database,
        open_registries(config, listener=ignore) as registries,
    ):
        explainer = Explainer(
            registries=registries,
            ledger=Ledger(database),
            notes=TagNotes(database),
            history=History(database),
            clock=database.clock,
        )
        yield explainer, Rulebook(Rules(database), config.rules, config.path)


@asynccontextmanager
async def open_status(
    config: Config,
) -> AsyncIterator[Callable[[], Awaitable[Sequence[RuleStatus]]]]:
    """Open what says how each rule is doing. Raises StoreError if there is no database yet."""
    from replicator.service.rules.status import status_of
    from replicator.store.history import History
    from replicator.store.notes import TagNotes

    async with open_required(config) as database:
        rulebook = Rulebook(Rules(database), config.rules, config.path)

        async def status() -> Sequence[RuleStatus]:
            return await status_of(
                await rulebook.all(),
                history=History(database),
                notes=TagNotes(database),
                clock=database.clock,
            )

        yield status
