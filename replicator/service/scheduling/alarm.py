"""Alarm: wakes at a time of day. It decides nothing: being woken twice, or late, does no harm."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

# Called with the names of rules whose time came.
Ring: TypeAlias = Callable[..., Awaitable[None]]

_NEXT: Final = "next"
# Wakings at once, so that none is refused because the end of the last was not seen yet.
_MANY: Final = 1000


class Alarm(Protocol):
    """Wakes, for each rule, at one time."""

    def start(self, ring: Ring) -> None:
        """From now on, call *ring* with the names of rules whose time comes."""
        ...

    def set(self, rule: str, at: datetime) -> None:
        """Wake for a rule then, and not at the time that was set before."""
        ...

    def unset(self, rule: str) -> None: ...

    def look(self) -> None:
        """Look at the clock again, as somebody may have set it, or that of this machine."""
        ...

    def stop(self) -> None: ...


class ClockAlarm:
    """Wakes by a *clock*, once for all rules that are due at the same time.

    It is set for the first of all times only: ten thousand rules may come due each minute.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            # However late it is, and whoever else is awake: whoever is woken decides.
            job_defaults={"misfire_grace_time": None, "max_instances": _MANY},
            timezone=UTC,
        )
        self._times: dict[str, datetime] = {}
        # In the order of time; an entry that is not of *times* any more does not count.
        self._order: list[tuple[datetime, str]] = []
        self._set_for: datetime | None = None
        self._ringing: set[asyncio.Future[None]] = set()

    def start(self, ring: Ring) -> None:
        self._ring = ring
        self._scheduler.start()

    def set(self, rule: str, at: datetime) -> None:
        if self._times.get(rule) != at:
            self._times[rule] = at
            heapq.heappush(self._order, (at, rule))
            self._set_clock()

    def unset(self, rule: str) -> None:
        self._times.pop(rule, None)

    def look(self) -> None:
        self._set_for = None
        self._set_clock()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
        for ringing in self._ringing:
            ringing.cancel()

    async def _wake(self) -> None:
        """Ring for all that is due, without waiting for what is made of it."""
        self._set_for = None
        due = list(self._take_due(self._clock()))
        if due:
            ringing = asyncio.ensure_future(self._ring(*due))
            self._ringing.add(ringing)
            ringing.add_done_callback(self._ringing.discard)
        self._set_clock()

    def _take_due(self, now: datetime) -> Iterator[str]:
        while self._order and self._order[0][0] <= now:
            at, rule = heapq.heappop(self._order)
            if self._times.get(rule) == at:
                del self._times[rule]
                yield rule

    def _set_clock(self) -> None:
        if self._order and (self._set_for is None or self._order[0][0] < self._set_for):
            self._set_for = self._order[0][0]
            # APScheduler goes by this machine's clock, which may be another.
            at = datetime.now(UTC) + (self._set_for - self._clock())
            self._scheduler.add_job(self._wake, DateTrigger(at), id=_NEXT, replace_existing=True)
