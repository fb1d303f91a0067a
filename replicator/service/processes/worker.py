"""Worker: takes up items that wait, several at once, and gives back what it cannot finish."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

import structlog

from replicator.errors import ReplicatorError
from replicator.events import ItemFinished, ItemStarted, Listener, RunFinished, ignore
from replicator.service.processes.engine import Engine
from replicator.service.processes.steps import PassStep, Step, pass_by
from replicator.service.records.report import RunReport
from replicator.store.item_records import Claim

_log = logging.getLogger(__name__)

# Seconds between two looks for items that nobody told of.
LOOK_EVERY: Final = 2.0
# Items that are taken up at once when they are quickly done: then it is taking them up that costs.
# Of others each worker takes one at a time, so that all have some.
_QUICK: Final = 0.5  # seconds
_AT_ONCE: Final = 8
_MOMENT: Final = 0.02  # seconds
# Of silence, after which something is wrong.
_SILENCE: Final = timedelta(seconds=15)


class Items(Protocol):
    """Hands out items."""

    async def claim(
        self, now: datetime, *, limit: int = 1, last_try: bool = True
    ) -> Sequence[Claim]: ...


class Runner(Protocol):
    """Carries out items."""

    async def carry_out(self, claim: Claim) -> RunReport | None: ...

    async def drain(self) -> None: ...


class Worker:
    """Carries out as many items at once as there are *slots*, and one in the last try.

    That one has a place of its own. If it ends the process once more, it is given up, and none of
    those that were lost together with it until then.

    *tell* hears how each run ended, *announce* how each item began and ended.
    """

    def __init__(
        self,
        *,
        items: Items,
        runner: Runner,
        engine: Engine,
        clock: Callable[[], datetime],
        tell: Callable[[RunReport], None],
        announce: Listener = ignore,
        slots: int = 32,
        pass_step: PassStep = pass_by,
    ) -> None:
        self._items = items
        self._runner = runner
        self._engine = engine
        self._clock = clock
        self._tell = tell
        self._announce = announce
        self._most = slots
        self._slots = asyncio.Semaphore(slots)
        self._has_last_try = False
        self._are_quick = False
        self._pass = pass_step
        self._under_way: set[asyncio.Task[None]] = set()
        self._looked_at: datetime | None = None
        self._is_stopping = False

    async def run(self) -> None:
        """Take up items until cancelled; those under way go on until ``finish``."""
        while True:
            await self._wait_for_room()
            for claim in await self._claim():
                if claim.is_last_try:
                    self._has_last_try = True
                else:
                    await self._slots.acquire()
                self._start(claim)

    async def _wait_for_room(self) -> None:
        """Wait for a place; where places are soon free, for a moment longer, so for several."""
        await self._slots.acquire()
        self._slots.release()
        if self._are_quick and self._room < _AT_ONCE:
            await asyncio.sleep(_MOMENT)

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
        """Say why no further item would be taken up; empty if one would, now or when there is
        room."""
        if self._is_stopping:
            return "stopping"
        if self._slots.locked():
            return ""
        if self._looked_at is None:
            return "has not looked for work yet"
        silence = self._clock() - self._looked_at
        return f"last looked for work {silence} ago" if silence > _SILENCE else ""

    async def _claim(self) -> Sequence[Claim]:
        """Wait for items, and take up no more of them than there is room for."""
        while True:
            try:
                claims = await self._items.claim(
                    self._clock(),
                    limit=min(self._room, _AT_ONCE) if self._are_quick else 1,
                    last_try=not self._has_last_try,
                )
                self._looked_at = self._clock()
                if claims:
                    self._pass(Step.AFTER_CLAIM)
                    return claims
            except ReplicatorError as error:
                _log.warning("no work taken up", extra={"error": str(error)})
            await self._engine.receive(LOOK_EVERY)

    @property
    def _room(self) -> int:
        """How many more items may begin, one in the last try not counted."""
        return self._most - len(self._under_way) + self._has_last_try

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._carry_out(claim))
        self._under_way.add(task)
        task.add_done_callback(partial(self._end, claim=claim, began=time.monotonic()))

    def _end(self, task: asyncio.Task[None], *, claim: Claim, began: float) -> None:
        self._are_quick = time.monotonic() - began < _QUICK
        self._under_way.discard(task)
        if claim.is_last_try:
            self._has_last_try = False
            self._engine.send()  # as another one may wait for that
        else:
            self._slots.release()

    async def _carry_out(self, claim: Claim) -> None:
        """Carry out one item; whatever happens to it is no concern of the others."""
        structlog.contextvars.bind_contextvars(run=claim.run_id, rule=claim.rule, item=claim.n)
        about: dict[str, Any] = {"kind": claim.kind.value, "attempt": claim.losses + 1}
        _log.info("run started" if claim.begins else "item started", extra=about)
        self._announce(ItemStarted(claim.run_id, claim.rule, claim.n, **about))
        trouble: str | None = None
        try:
            report = await self._runner.carry_out(claim)
        except asyncio.CancelledError:
            trouble = "given back"
            _log.info("item given back")
            raise
        except ReplicatorError as error:
            trouble = str(error)
            _log.error("item broken off", extra={"error": trouble})
        except Exception as error:
            trouble = repr(error)
            _log.exception("item broken off")
        else:
            if report is not None:
                self._end_run(report)
        finally:
            self._announce(ItemFinished(claim.run_id, claim.n, trouble))

    def _end_run(self, report: RunReport) -> None:
        self._tell(report)
        _log.info("run ended", extra=_summary(report))
        times = report.started_at, report.finished_at
        self._announce(RunFinished(report.run, report.rule, report.state.value, *times))


def _summary(report: RunReport) -> dict[str, Any]:
    """Return what a log says of a run."""
    return {
        "state": report.state.value,
        "seconds": round((report.finished_at - report.started_at).total_seconds(), 3),
        "counts": {name: number for name, number in report.counts.items() if number},
        "bytes_moved": report.tally.bytes_moved,
        "error": report.error,
    }
