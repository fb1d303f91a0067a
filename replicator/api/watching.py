"""What a service says of itself when it is asked: its health, and how everything stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from replicator.api.app import create_app
from replicator.bootstrap import Served
from replicator.errors import StoreError
from replicator.service.scheduling.scheduler import Scheduler
from replicator.service.scheduling.serving import Role
from replicator.store import schema
from replicator.store.database import Database
from replicator.store.standing import Standing, standing
from replicator.telemetry.health import Check, Health
from replicator.telemetry.metrics import Gauges


def watch(
    served: Served, clock: Callable[[], datetime], others: Sequence[BaseRoute] = ()
) -> Starlette:
    """Return the application that answers for a service; *clock* is in UTC.

    *others* are what it answers besides, such as the API.
    """
    scheduler, worker = served.serving.scheduler, served.serving.worker

    async def show_metrics() -> bytes:
        try:
            found = await standing(served.database)
        except StoreError:
            # What was counted is known without the database, and is wanted most when it is away.
            return served.metrics.show(None)
        return served.metrics.show(_gauges(found, scheduler, served.budgets.left, clock()))

    checks: dict[str, Check] = {"database": lambda: _database_trouble(served.database)}
    if scheduler is not None:
        checks["scheduler"] = _at_once(scheduler.trouble)
    if worker is not None:
        checks["worker"] = _at_once(worker.trouble)
    health = Health(checks)
    if Role.API not in served.roles:
        return create_app(health, show_metrics)
    # With what problems are written by, which a process without an API need not load.
    from replicator.api.webhooks import webhook_routes

    webhooks = webhook_routes(served.hooks, served.webhook_secrets)
    return create_app(health, show_metrics, (*webhooks, *others))


async def _database_trouble(database: Database) -> str:
    """Say what is wrong with the database. Raises StoreError when it cannot even be asked."""
    schema.require_current(await database.revision(), database.name)
    return ""


def _at_once(trouble: Callable[[], str]) -> Check:
    async def check() -> str:
        return trouble()

    return check


def _gauges(
    found: Standing, scheduler: Scheduler | None, budgets: Mapping[str, float], now: datetime
) -> Gauges:
    def age(since: datetime | None) -> float:
        return 0.0 if since is None else (now - since).total_seconds()

    return Gauges(
        found.waiting,
        found.under_way,
        found.items_waiting,
        found.items_under_way,
        age(found.oldest_queued_at),
        {rule: age(at) for rule, at in found.in_step_at.items() if at is not None},
        {rule: -age(at) for rule, at in (scheduler.next_fires if scheduler else {}).items()},
        found.failing_tags,
        age(found.oldest_failing_since),
        {rule: objective.total_seconds() for rule, objective in found.objectives.items()},
        budgets,
    )
