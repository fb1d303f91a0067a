"""Scheduler: rings for each rule when it comes due, and lets one transaction decide."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from replicator.errors import ReplicatorError
from replicator.service.processes.engine import Engine
from replicator.service.processes.steps import PassStep, Step, pass_by
from replicator.service.scheduling.alarm import Alarm
from replicator.store.fires import Verdict
from replicator.store.records import Fire

_log = logging.getLogger(__name__)

# Seconds between two looks at the rules; a change of one has to act within five.
LOOK_EVERY: Final = 2.0
# Of silence, after which something is wrong.
_SILENCE: Final = timedelta(seconds=15)
# When a due time cannot be decided, its rule is looked at again so much later.
_AGAIN_AFTER: Final = timedelta(seconds=5)
# When a time has not come yet by the database: its clock was set back, or is another's now.
_A_MOMENT: Final = timedelta(seconds=0.1)
# Rules that one transaction decides: many cost less together, few let others in sooner.
_TOGETHER: Final = 200
# Such transactions at once: more would only wait for connections, or for SQLite's lock.
_AT_ONCE: Final = 2


class Fires(Protocol):
    """Decides due times."""

    async def decide(self, names: Collection[str]) -> Mapping[str, Verdict]:
        """Decide what is due of some rules, by the database's clock: of all or of none of them."""
        ...

    async def last_change(self) -> int:
        """Return what is another number after each change of a rule."""
        ...

    async def scheduled(self) -> Mapping[str, tuple[str, ...]]:
        """Return the rules that come due by themselves, each with what decides when."""
        ...

    async def forget_others(self, names: Collection[str]) -> None: ...


class Scheduler:
    """Any number of these may share a database: each due time is decided once.

    *clock* only says how long ago something was, and when to try again.
    """

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
        self._last_change: int | None = None
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
        change = await self._fires.last_change()
        if forget or change != self._last_change:
            await self._take_up(forget=forget)
            self._last_change = change
        self._alarm.look()
        self._looked_at = self._clock()

    async def ring(self, *rules: str) -> None:
        """Let due times of rules be decided, and set the alarm for the next of each."""
        await asyncio.gather(*map(self._ring_for, _parts(rules)))

    async def _take_up(self, *, forget: bool) -> None:
        found = await self._fires.scheduled()
        if forget:
            await self._fires.forget_others(found.keys())
        changed = [name for name in found if self._known.get(name) != found[name]]
        await self.ring(*changed, *(self._known.keys() - found.keys()))
        self._known = dict(found)

    async def _ring_for(self, rules: Sequence[str]) -> None:
        try:
            async with self._slots:
                verdicts = await self._fires.decide(rules)
        except ReplicatorError as error:
            self._put_off(rules, str(error))
            return
        except Exception as error:
            _log.exception("decision broken off")
            self._put_off(rules, repr(error))
            return
        for rule, verdict in verdicts.items():
            self._heed(rule, verdict)

    def _heed(self, rule: str, verdict: Verdict) -> None:
        if verdict.trouble:
            self._put_off([rule], verdict.trouble)
            return
        if verdict.fire is None:
            self._set(rule, self._not_at_once(verdict.wake_at))
            return
        self._set(rule, verdict.wake_at)
        self._pass(Step.AFTER_FIRE)
        self._tell(verdict.fire)

    def _not_at_once(self, at: datetime | None) -> datetime | None:
        """Put off a time that has come here already: asked again at once, nothing would differ."""
        now = self._clock()
        return now + _A_MOMENT if at is not None and at <= now else at

    def _put_off(self, rules: Sequence[str], error: str) -> None:
        told = {"rule": rules[0], "other_rules": len(rules) - 1, "error": error}
        _log.warning("due times not decided", extra=told)
        for rule in rules:
            self._set(rule, self._clock() + _AGAIN_AFTER)

    def _set(self, rule: str, at: datetime | None) -> None:
        if at is None:
            self._wake_at.pop(rule, None)
            self._alarm.unset(rule)
        else:
            self._wake_at[rule] = at
            self._alarm.set(rule, at)

    def _tell(self, fire: Fire) -> None:
        told = {"rule": fire.rule, "due": fire.at.isoformat(), "missed": fire.coalesced}
        if fire.run is None:
            _log.warning("due time skipped, a run is still unfinished", extra=told)
        else:
            _log.info("rule is due", extra={**told, "run": fire.run})
            self._engine.send()


def _parts(rules: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut rules into what one transaction decides, in the order in which it locks them."""
    ordered = sorted(rules)
    return (ordered[start : start + _TOGETHER] for start in range(0, len(ordered), _TOGETHER))
