"""What serves: the service of some roles, and what watches it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from replicator.bootstrap.exchanging import exchanging
from replicator.bootstrap.scheduling import scheduling
from replicator.bootstrap.service import open_service
from replicator.bootstrap.watching import watching
from replicator.bootstrap.working import working
from replicator.config.webhooks import webhook_secrets
from replicator.errors import ConfigError
from replicator.service.hooks.desk import HookDesk
from replicator.service.processes.carried_engine import ProcrastinateEngine
from replicator.service.processes.engine import Engine, LocalEngine
from replicator.service.processes.probes import Probes
from replicator.service.scheduling.budget_watch import BudgetWatch
from replicator.service.scheduling.heeding import heed
from replicator.service.scheduling.serving import Role, Serving
from replicator.store.carrier import QUEUE, TASK
from replicator.store.dirty import DirtyRepositories
from replicator.store.history import History
from replicator.store.owner import Owner
from replicator.store.reaper import Reaper
from replicator.store.rules import Rules
from replicator.store.services import Services
from replicator.values import dataclass

if TYPE_CHECKING:
    from replicator.bootstrap.parts import Part
    from replicator.config import Config
    from replicator.service.rules.rulebook import Rulebook
    from replicator.service.scheduling.serving import Loop
    from replicator.store.database import Database
    from replicator.telemetry.live import LiveRuns
    from replicator.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Served:
    """A service that is about to serve, and what is known of it.

    *webhook_secrets* are those that the notices of a registry have to show one of.
    """

    serving: Serving
    rulebook: Rulebook
    database: Database
    metrics: Metrics
    live: LiveRuns
    budgets: BudgetWatch
    hooks: HookDesk
    webhook_secrets: Callable[[str], Sequence[str]]
    roles: Collection[Role]


@asynccontextmanager
async def open_serving(
    config: Config, roles: Collection[Role] = (), *, probes: Probes | None = None
) -> AsyncIterator[Served]:
    """Build what runs rules on time, in some *roles* or in all; an embedded database is made on
    the spot.

    Raises ConfigError when the database is a file and not all roles are wanted, StoreError if the
    database cannot be used.
    """
    probes, roles = probes or Probes(), frozenset(roles) or frozenset(Role)
    owner = Owner.this_process()
    async with (
        watching() as watched,
        open_service(config, listener=watched.listener, probes=probes) as service,
    ):
        database = service.database
        _require_all_roles(database, roles)
        engine = _engine(database)
        services = Services(database, owner, database.clock(), works=Role.WORKER in roles)
        hooks, budgets = _hooks(database, engine), _budgets(database)
        scheduler, scheduled = scheduling(config, service, engine, hooks, budgets, probes)
        worker, worked = working(service, engine, owner, services, watched, probes)
        parts = [
            *([scheduled] if Role.SCHEDULER in roles else ()),
            *([worked] if Role.WORKER in roles else ()),
            *exchanging(database, watched.live, roles),
        ]
        serving = Serving(
            scheduler=scheduler if Role.SCHEDULER in roles else None,
            worker=worker if Role.WORKER in roles else None,
            starting=[loop for part in parts for loop in part.starting],
            lasting=[*(loop for part in parts for loop in part.lasting), *_shared(database, parts)],
            reaper=Reaper(database, grace=probes.timing.grace_time),
            services=services,
            clock=database.clock,
            timing=probes.timing,
        )
        yield Served(
            serving,
            service.rulebook,
            database,
            watched.metrics,
            watched.live,
            budgets,
            hooks,
            lambda registry: webhook_secrets(config, registry, os.environ),
            roles,
        )


def _require_all_roles(database: Database, roles: Collection[Role]) -> None:
    if database.embedded and frozenset(roles) != frozenset(Role):
        raise ConfigError(
            "each service of a database in a file does everything; leave out --role, or "
            'use PostgreSQL: database = "postgresql://USER@HOST/NAME"'
        )


def _shared(database: Database, parts: Sequence[Part]) -> Iterator[Loop]:
    """Yield what goes on besides with a server: only it has a clock of its own, and news from
    others."""
    if database.embedded:
        return
    yield database.clock.keep
    acts = {notice: act for part in parts for notice, act in part.acts.items()}
    hearers = [hear for part in parts for hear in part.hearers]
    if acts or hearers:
        yield partial(heed, database.notices, acts, hearers)


def _engine(database: Database) -> Engine:
    if database.embedded:
        return LocalEngine()
    return ProcrastinateEngine(database.dsn, queue=QUEUE, task=TASK)


def _hooks(database: Database, engine: Engine) -> HookDesk:
    return HookDesk(
        rules=Rules(database),
        marks=DirtyRepositories(database),
        engine=engine,
        clock=database.clock,
    )


def _budgets(database: Database) -> BudgetWatch:
    return BudgetWatch(rules=Rules(database), history=History(database), clock=database.clock)
