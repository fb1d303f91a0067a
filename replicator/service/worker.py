"""Worker: takes up runs that wait, several at once, and gives back what it cannot finish."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from replicator.errors import ReplicatorError
from replicator.service.engine import Engine
from replicator.service.report import RunReport
from replicator.store.records import RunRecord

_log = logging.getLogger(__name__)

# Seconds between two looks for runs that other processes queued.
LOOK_EVERY: Final = 2.0
# Of silence, after which something is wrong.
_SILENCE: Final = timedelta(seconds=15)


class Queue(Protocol):
    """Hands out runs."""

    async def claim(self, now: datetime) -> RunRecord | None: ...


class Runner(Protocol):
    """Carries out runs."""

    async def carry_out(self, record: RunRecord) -> RunReport: ...

    async def drain(self) -> None: ...


class Worker:
    """Carries out as many runs at once as there are *slots*; *tell* hears how each ended."""

    def __init__(
        self,
        *,
        queue: Queue,
        runner: Runner,
        engine: Engine,
        clock: Callable[[], datetime],
        tell: Callable[[RunReport], None],
        slots: int = 8,
    ) -> None:
        self._queue = queue
        self._runner = runner
        self._engine = engine
        self._clock = clock
        self._tell = tell
        self._slots = asyncio.Semaphore(slots)
        self._under_way: set[asyncio.Task[None]] = set()
        self._looked_at: datetime | None = None
        self._is_stopping = False

    async def run(self) -> None:
        """Take up runs until cancelled; those under way go on until ``finish``."""
        while True:
            await self._slots.acquire()
            try:
                record = await self._claim()
            except BaseException:
                self._slots.release()
                raise
            self._start(record)

    async def finish(self, grace: float) -> None:
        """Let copies under way end within *grace* seconds, and give back what is unfinished."""
        self._is_stopping = True
        try:
            async with asyncio.timeout(grace):
                await self._runner.drain()
        except TimeoutError:
            _log.warning("copies broken off", extra={"after_seconds": grace})
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def trouble(self) -> str:
        """Say why no further run would be taken up; empty if one would, now or when there is
        room."""
        if self._is_stopping:
            return "stopping"
        if self._slots.locked():
            return ""
        if self._looked_at is None:
            return "has not looked for runs yet"
        silence = self._clock() - self._looked_at
        return f"last looked for runs {silence} ago" if silence > _SILENCE else ""

    async def _claim(self) -> RunRecord:
        """Wait for a run, and take it up."""
        while True:
            try:
                record = await self._queue.claim(self._clock())
                self._looked_at = self._clock()
                if record is not None:
                    return record
            except ReplicatorError as error:
                _log.warning("no run claimed", extra={"error": str(error)})
            await self._engine.receive(LOOK_EVERY)

    def _start(self, record: RunRecord) -> None:
        task = asyncio.create_task(self._carry_out(record))
        self._under_way.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._slots.release()

    async def _carry_out(self, record: RunRecord) -> None:
        """Carry out one run; whatever happens to it is no concern of the others."""
        structlog.contextvars.bind_contextvars(run=record.id, rule=record.rule.name)
        _log.info("run started", extra={"trigger": record.trigger, "attempt": record.attempt})
        try:
            report = await self._runner.carry_out(record)
        except asyncio.CancelledError:
            _log.info("run given back")
            raise
        except ReplicatorError as error:
            _log.error("run broken off", extra={"error": str(error)})
        except Exception:
            _log.exception("run broken off")
        else:
            self._tell(report)
            _log.info("run ended", extra=_summary(report))


def _summary(report: RunReport) -> dict[str, Any]:
    """Return what a log says of a run."""
    return {
        "state": report.state.value,
        "seconds": round((report.finished_at - report.started_at).total_seconds(), 3),
        "counts": {name: number for name, number in report.counts.items() if number},
        "bytes_moved": report.tally.bytes_moved,
        "error": report.error,
    }
