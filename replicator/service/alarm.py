"""Alarm: wakes at a time of day. It decides nothing: being woken twice, or late, does no harm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger


class Alarm(Protocol):
    """Wakes, for each rule, at one time."""

    def start(self, ring: Callable[[str], Awaitable[None]]) -> None:
        """From now on, call *ring* with the name of each rule whose time comes."""
        ...

    def set(self, rule: str, at: datetime) -> None:
        """Wake for a rule then, and not at the time that was set before."""
        ...

    def unset(self, rule: str) -> None: ...

    def look(self) -> None:
        """Look at the clock on the wall again, as somebody may have put it forward."""
        ...

    def stop(self) -> None: ...


class ClockAlarm:
    """Wakes by the clock of this machine."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            # However late it is, whoever is woken decides.
            job_defaults={"misfire_grace_time": None},
            timezone=UTC,
        )

    def start(self, ring: Callable[[str], Awaitable[None]]) -> None:
        self._ring = ring
        self._scheduler.start()

    def set(self, rule: str, at: datetime) -> None:
        self._scheduler.add_job(
            self._ring, DateTrigger(at), args=[rule], id=rule, replace_existing=True
        )

    def unset(self, rule: str) -> None:
        if self._scheduler.get_job(rule) is not None:
            self._scheduler.remove_job(rule)

    def look(self) -> None:
        self._scheduler.wakeup()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
