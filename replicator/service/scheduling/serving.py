"""Serving: what a service does, from its start to the end of what it began."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from replicator.errors import ReplicatorError
from replicator.service.processes.timing import Timing
from replicator.service.processes.worker import Worker
from replicator.service.scheduling.scheduler import Scheduler

_log = logging.getLogger(__name__)

# Goes on until it is cancelled.
Loop: TypeAlias = Callable[[], Awaitable[None]]


class Role(enum.StrEnum):
    """What a service may be there for: to answer, to ring when rules come due, or to carry out."""

    API = "api"
    SCHEDULER = "scheduler"
    WORKER = "worker"


class Reaper(Protocol):
    """Sees to what was lost."""

    async def reap(self, now: datetime) -> None: ...


class Services(Protocol):
    """Knows who serves."""

    async def announce(self, now: datetime) -> None: ...

    async def retire(self) -> None: ...


class Serving:
    """Serves until it is told to stop.

    *scheduler* and *worker* are None where it is not their role; *starting* ends at once when it is
    told, *lasting* when all that was begun has ended.
    """

    def __init__(
        self,
        *,
        scheduler: Scheduler | None,
        worker: Worker | None,
        starting: Sequence[Loop],
        lasting: Sequence[Loop],
        reaper: Reaper,
        services: Services,
        clock: Callable[[], datetime],
        timing: Timing | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.scheduler = scheduler
        self.worker = worker
        self._starting = starting
        self._lasting = lasting
        self._reaper = reaper
        self._services = services
        self._clock = clock
        self._timing = timing or Timing()
        self._sleep = sleep

    async def run(self, stop: asyncio.Event, *, grace: float) -> None:
        """Serve until *stop* is set; then begin nothing, let copies end within *grace* seconds,
        and give back what is unfinished."""
        if self.scheduler is None and self.worker is None:
            await self._answer(stop)
            return
        # First, so that a run that was lost with its process goes on rather than be in the way.
        await self._look_after_runs()
        async with asyncio.TaskGroup() as group:
            lasting = [
                group.create_task(_endless(each)) for each in (*self._lasting, self._keep_looking)
            ]
            starting = [group.create_task(_endless(each)) for each in self._starting]
            try:
                await stop.wait()
            finally:
                for task in starting:
                    task.cancel()
                if self.worker is not None:
                    await self.worker.finish(grace if stop.is_set() else 0)
                for task in lasting:
                    task.cancel()
        await self._services.retire()

    async def _answer(self, stop: asyncio.Event) -> None:
        """Do what lasts until *stop* is set, and leave runs to others."""
        async with asyncio.TaskGroup() as group:
            lasting = [group.create_task(_endless(each)) for each in self._lasting]
            await stop.wait()
            for task in lasting:
                task.cancel()

    async def _keep_looking(self) -> None:
        while True:
            await self._sleep(self._timing.reap)
            try:
                await self._look_after_runs()
            except ReplicatorError as error:
                _log.warning("database not reached", extra={"error": str(error)})

    async def _look_after_runs(self) -> None:
        now = self._clock()
        await self._services.announce(now)
        await self._reaper.reap(now)


async def _endless(loop: Loop) -> None:
    await loop()
