"""What carries out rules, with a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from replicator.bootstrap.copying import LateTransfer
from replicator.bootstrap.databases import open_database, runs_of, unfinished_of
from replicator.bootstrap.kept_registries import with_kept_registries
from replicator.bootstrap.registries import open_registries
from replicator.service.processes.lease import Lease, not_needed
from replicator.service.processes.probes import Probes, both
from replicator.service.rules.rulebook import Rulebook
from replicator.service.running.runner import RunLimits, Runner
from replicator.store.inventory import LedgerInventory
from replicator.store.ledger import Ledger
from replicator.store.notes import TagNotes
from replicator.store.pull_budgets import PullBudgets
from replicator.store.registry_facts import RegistryFacts
from replicator.store.rules import Rules
from replicator.transfer.fail_points import pass_by
from replicator.values import dataclass

if TYPE_CHECKING:
    from replicator.config import Config
    from replicator.events import Listener
    from replicator.service.looking.verifying import Verifier
    from replicator.service.outside.registries import Registries
    from replicator.store.database import Database
    from replicator.store.runs import Runs


@dataclass(frozen=True, slots=True)
class Service:
    """What carries out rules, and what knows of them and of their runs."""

    rulebook: Rulebook
    runs: Runs
    runner: Runner
    registries: Registries
    database: Database
    lease: Lease


@asynccontextmanager
async def open_service(
    config: Config, *, listener: Listener, probes: Probes | None = None
) -> AsyncIterator[Service]:
    """Build what carries out rules; an embedded database is made on the spot.

    Raises StoreError if the database cannot be used.
    """
    async with (
        open_database(config) as database,
        open_registries(
            await with_kept_registries(config, database),
            listener=listener,
            facts=await RegistryFacts(database).believed(database.clock()),
            pulls=PullBudgets(database, database.clock),
        ) as registries,
    ):
        ledger, runs, clock = Ledger(database), runs_of(database), database.clock
        inventory = LedgerInventory(ledger, clock, trusted_for=config.service.confirm_after)
        probes = probes or Probes()
        lease = Lease(probes.timing.safe)
        # With a file it can be seen that a process is there, so nobody takes its runs.
        guard, require_lease = lease.check, lease.require
        if database.embedded:
            guard, require_lease = pass_by, not_needed
        runner = Runner(
            registries=registries,
            copier=LateTransfer(
                inventory=inventory,
                unfinished=unfinished_of(database),
                listener=listener,
                fail_point=both(probes.pass_point, guard),
            ),
            ledger=ledger,
            runs=runs,
            notes=TagNotes(database),
            clock=clock,
            confirm_after=config.service.confirm_after,
            confirm_share=config.service.confirm_share,
            limits=RunLimits(images=config.service.concurrency),
            lease=lease,
            require_lease=require_lease,
        )
        try:
            rulebook = Rulebook(Rules(database), config.rules, config.path)
            yield Service(rulebook, runs, runner, registries, database, lease)
        finally:
            await inventory.flush()


def verifier(service: Service) -> Verifier:
    """Build what looks whether things are as they were published."""
    from replicator.service.looking.verifying import Verifier

    return Verifier(Ledger(service.database), service.registries.repository)
