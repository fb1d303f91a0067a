"""HookDesk: takes notices in, marks what they are about, and lets runs compare it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from replicator.errors import ConfigError, ReplicatorError
from replicator.oci.reference import RepositoryName
from replicator.planning.rule import Rule
from replicator.planning.source import Source
from replicator.service.hooks.events import repositories_of
from replicator.service.processes.engine import Engine
from replicator.store.records import RunRecord
from replicator.values import dataclass

_log = logging.getLogger(__name__)

# Seconds between two looks for marks; notices that come meanwhile are one run.
_EVERY: Final = 2.0
# How long the rules that were read count: a flood of notices reads them once.
_RULES_LAST: Final = timedelta(seconds=2)


class Rules(Protocol):
    async def all(self) -> tuple[Rule, ...]: ...


class Marks(Protocol):
    """Remembers which repositories may have changed."""

    async def mark(
        self, repositories: Collection[tuple[str, RepositoryName]], now: datetime
    ) -> None: ...

    async def queue_runs(self, now: datetime) -> tuple[RunRecord, ...]: ...


@dataclass(frozen=True, slots=True)
class _Reading:
    """The sources of the rules that are enabled, and until when they count."""

    sources: Sequence[tuple[str, Source]] = ()
    until: datetime | None = None


class HookDesk:
    """Any number of these may share a database: of each rule there is one run at a time."""

    def __init__(
        self,
        *,
        rules: Rules,
        marks: Marks,
        engine: Engine,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rules = rules
        self._marks = marks
        self._engine = engine
        self._clock = clock
        self._sleep = sleep
        self._reading = _Reading()

    async def take(self, registry: str, headers: Mapping[str, str], body: bytes) -> int:
        """Mark what a notice of *registry* is about; return how many repositories of rules.

        *headers* have names in lower case. Raises InvalidValue when it is no notice, StoreError.
        """
        names = repositories_of(registry, headers, body)
        sources = await self._sources() if names else ()
        found = {
            (rule, name)
            for rule, source in sources
            for name in names
            if source.match(name) is not None
        }
        await self._marks.mark(found, self._clock())
        return len(found)

    async def run(self) -> None:
        """Let runs compare what is marked, until cancelled."""
        while True:
            await self._sleep(_EVERY)
            try:
                queued = await self._marks.queue_runs(self._clock())
            except ReplicatorError as error:
                _log.warning("marks not seen", extra={"error": str(error)})
                continue
            for record in queued:
                told = {"rule": record.rule.name, "run": record.id, "only": record.only}
                _log.info("a registry told of changes", extra=told)
            if queued:
                self._engine.send()

    async def _sources(self) -> Sequence[tuple[str, Source]]:
        now = self._clock()
        if self._reading.until is None or now >= self._reading.until:
            rules = await self._rules.all()
            sources = [(rule.name, _source(rule)) for rule in rules if rule.enabled]
            known = [(name, source) for name, source in sources if source is not None]
            self._reading = _Reading(known, now + _RULES_LAST)
        return self._reading.sources


def _source(rule: Rule) -> Source | None:
    """Read what a rule reads; None when it is of no use, which its own runs will tell."""
    try:
        return Source.parse(rule.source, rule.repositories, where="")
    except ConfigError:
        return None
