"""The scheduler's role: rings, sweeps what is old, and tells people."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from replicator.bootstrap.clock import now
from replicator.bootstrap.parts import Part
from replicator.notify.delivery import Delivery
from replicator.notify.notifier import Notifier
from replicator.service.scheduling.alarm import ClockAlarm
from replicator.service.scheduling.housekeeping import Housekeeping
from replicator.service.scheduling.scheduler import Scheduler
from replicator.store.fires import Fires
from replicator.store.notices import RULES
from replicator.store.notifications import Notifications
from replicator.store.request_sums import RequestSums
from replicator.store.retention import Keep, Retention

if TYPE_CHECKING:
    from replicator.bootstrap.service import Service
    from replicator.config import Config
    from replicator.service.hooks.desk import HookDesk
    from replicator.service.processes.engine import Engine
    from replicator.service.processes.probes import Probes
    from replicator.service.scheduling.budget_watch import BudgetWatch


def scheduling(
    config: Config,
    service: Service,
    engine: Engine,
    hooks: HookDesk,
    budgets: BudgetWatch,
    probes: Probes,
) -> tuple[Scheduler, Part]:
    """Build what rings for rules, and its part in serving."""
    clock = service.database.clock
    scheduler = Scheduler(
        fires=Fires(service.database),
        alarm=ClockAlarm(clock),
        engine=engine,
        clock=clock,
        pass_step=probes.pass_step,
    )
    housekeeping = Housekeeping(
        retention=Retention(service.database),
        sums=RequestSums(service.database),
        keep=Keep(config.service.keep_history, config.service.keep_runs),
        clock=clock,
    )
    telling = Notifier(
        config.channels,
        kept=Notifications(service.database),
        post=Delivery(os.environ, now),
        clock=clock,
    )
    return scheduler, Part(
        starting=(scheduler.run, hooks.run),
        lasting=(housekeeping.run, telling.run, budgets.run),
        acts={RULES: scheduler.look},
    )
