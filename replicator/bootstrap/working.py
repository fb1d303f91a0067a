"""The worker's role: takes up items, and keeps them its own meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.bootstrap.databases import unfinished_of
from replicator.bootstrap.parts import Part
from replicator.service.items.item_runner import ItemRunner
from replicator.service.processes.shared_limits import SharedLimits
from replicator.service.processes.signs_of_life import SignsOfLife
from replicator.service.processes.worker import Worker
from replicator.service.scheduling.old_uploads import OldUploads
from replicator.store.items import Items
from replicator.store.notices import CANCELLED

if TYPE_CHECKING:
    from replicator.bootstrap.service import Service
    from replicator.bootstrap.watching import Watched
    from replicator.service.processes.engine import Engine
    from replicator.service.processes.probes import Probes
    from replicator.store.owner import Owner
    from replicator.store.services import Services


def working(
    service: Service,
    engine: Engine,
    owner: Owner,
    services: Services,
    watched: Watched,
    probes: Probes,
) -> tuple[Worker, Part]:
    """Build what takes up items, and its part in serving."""
    clock = service.database.clock
    items = Items(service.database, owner, lease=probes.timing.lease_time)
    life = SignsOfLife(items, lease=service.lease, clock=clock, timing=probes.timing)
    runner = ItemRunner(
        means=service.runner.means,
        items=items,
        life=life,
        wake=engine.send,
        pass_step=probes.pass_step,
        largest=probes.largest,
    )
    worker = Worker(
        items=items,
        runner=runner,
        engine=engine,
        clock=clock,
        tell=lambda report: watched.metrics.count_run(report.state.value, report.counts),
        announce=watched.listener,
        pass_step=probes.pass_step,
    )
    return worker, Part(
        starting=(worker.run, engine.run),
        lasting=(
            life.keep,
            SharedLimits(services, service.registries, clock=clock).run,
            OldUploads(unfinished_of(service.database), service.registries).run,
        ),
        acts={CANCELLED: life.look},
    )
