"""Serving: scheduler and worker in one process, from its start to the end of what it began."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

from replicator.errors import ReplicatorError
from replicator.service.hooks.desk import HookDesk
from replicator.service.housekeeping import Housekeeping
from replicator.service.runner import Runner
from replicator.service.scheduler import Scheduler
from replicator.service.worker import Worker

_log = logging.getLogger(__name__)

# Seconds between two looks for runs whose process is gone.
_REAP_EVERY: Final = 5.0


class Queue(Protocol):
    """Knows whose runs are under way."""

    async def reap(self, now: datetime) -> None: ...


class Services(Protocol):
    """Knows who serves."""

    async def announce(self, now: datetime) -> None: ...

    async def retire(self) -> None: ...


class Serving:
    """Serves until it is told to stop."""

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        worker: Worker,
        runner: Runner,
        queue: Queue,
        services: Services,
        hooks: HookDesk,
        housekeeping: Housekeeping,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.scheduler = scheduler
        self.worker = worker
        self._runner = runner
        self._queue = queue
        self._services = services
        self._hooks = hooks
        self._housekeeping = housekeeping
        self._clock = clock
        self._sleep = sleep

    async def run(self, stop: asyncio.Event, *, grace: float) -> None:
        """Serve until *stop* is set; then begin nothing, let copies end within *grace* seconds,
        and give back what is unfinished."""
        # First, so that a run that was lost with its process goes on rather than be in the way.
        await self._look_after_runs()
        async with asyncio.TaskGroup() as group:
            lasting = [
                group.create_task(each)
                for each in (
                    self._runner.keep_alive(),
                    self._keep_looking(),
                    self._housekeeping.run(),
                )
            ]
            starting = [
                group.create_task(each)
                for each in (self.scheduler.run(), self._hooks.run(), self.worker.run())
            ]
            try:
                await stop.wait()
            finally:
                for task in starting:
                    task.cancel()
                await self.worker.finish(grace if stop.is_set() else 0)
                for task in lasting:
                    task.cancel()
        await self._services.retire()

    async def _keep_looking(self) -> None:
        while True:
            await self._sleep(_REAP_EVERY)
            try:
                await self._look_after_runs()
            except ReplicatorError as error:
                _log.warning("database not reached", extra={"error": str(error)})

    async def _look_after_runs(self) -> None:
        now = self._clock()
        await self._services.announce(now)
        await self._queue.reap(now)
