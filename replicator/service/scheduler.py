"""Scheduler: rings for each rule when it comes due, and lets one transaction decide."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from replicator.errors import ReplicatorError
from replicator.service.alarm import Alarm
from replicator.service.engine import Engine
from replicator.service.steps import PassStep, Step, pass_by
from replicator.store.fires import Verdict

_log = logging.getLogger(__name__)

# Seconds between two looks at the rules; a change of one has to act within five.
LOOK_EVERY: Final = 2.0
# Of silence, after which something is wrong.
_SILENCE: Final = timedelta(seconds=15)
# When the database does not answer, the rule is looked at again so much later.
_AGAIN_AFTER: Final = timedelta(seconds=5)
# Decisions at once: more would only wait for connections, or for SQLite's lock.
_AT_ONCE: Final = 8


class Fires(Protocol):
    """Decides due times."""

    async def decide(self, name: str, now: datetime) -> Verdict: ...

    async def scheduled(self) -> Mapping[str, tuple[str, ...]]:
        """Return the rules that come due by themselves, each with what decides when."""
        ...

    async def forget_others(self, names: Collection[str]) -> None: ...


class Scheduler:
    """Any number of these may share a database: each due time is decided once."""

    def __init__(
        self,
        *,
        fires: Fires,
        alarm: Alarm,
        engine: Engine,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        pass_step: PassStep = pass_by,
    ) -> None:
        self._pass = pass_step
        self._fires = fires
        self._alarm = alarm
        self._engine = engine
        self._clock = clock
        self._sleep = sleep
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._known: dict[str, tuple[str, ...]] = {}
        self._wake_at: dict[str, datetime] = {}
        self._looked_at: datetime | None = None

    @property
    def next_fires(self) -> Mapping[str, datetime]:
        """When each rule comes due next."""
        return self._wake_at

    def trouble(self) -> str:
        """Say why changed rules and due times would not be seen; empty if they would."""
        if self._looked_at is None:
            return "has not read the rules yet"
        silence = self._clock() - self._looked_at
        return f"last read the rules {silence} ago" if silence > _SILENCE else ""

    async def run(self) -> None:
        """Ring until cancelled."""
        self._alarm.start(self.ring)
        try:
            is_first = True
            while True:
                try:
                    await self.look(forget=is_first)
                    is_first = False
                except ReplicatorError as error:
                    _log.warning("rules not read", extra={"error": str(error)})
                await self._sleep(LOOK_EVERY)
        finally:
            self._alarm.stop()

    async def look(self, *, forget: bool = False) -> None:
        """Take up rules that are new or changed since the last look.

        With *forget*, as after a start, rules that are not there now count anew when they come.
        """
        found = await self._fires.scheduled()
        if forget:
            await self._fires.forget_others(found.keys())
        changed = [name for name in found if self._known.get(name) != found[name]]
        await asyncio.gather(*map(self.ring, [*changed, *(self._known.keys() - found.keys())]))
        self._known = dict(found)
        self._alarm.look()
        self._looked_at = self._clock()

    async def ring(self, rule: str) -> None:
        """Let due times of a rule be decided, and set the alarm for the next."""
        try:
            async with self._slots:
                verdict = await self._fires.decide(rule, self._clock())
        except ReplicatorError as error:
            _log.warning("due time not decided", extra={"rule": rule, "error": str(error)})
            self._set(rule, self._clock() + _AGAIN_AFTER)
            return
        self._set(rule, verdict.wake_at)
        if verdict.fire is not None:
            self._pass(Step.AFTER_FIRE)
            self._tell(verdict)

    def _set(self, rule: str, at: datetime | None) -> None:
        if at is None:
            self._wake_at.pop(rule, None)
            self._alarm.unset(rule)
        else:
            self._wake_at[rule] = at
            self._alarm.set(rule, at)

    def _tell(self, verdict: Verdict) -> None:
        fire = verdict.fire
        if fire is None:
            return
        told = {"rule": fire.rule, "due": fire.at.isoformat(), "missed": fire.coalesced}
        if fire.run is None:
            _log.warning("due time skipped, a run is still unfinished", extra=told)
        else:
            _log.info("rule is due", extra={**told, "run": fire.run})
            self._engine.send()
