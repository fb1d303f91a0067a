"""TrafficViews: what moved day by day, for plots."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from replicator.errors import RegistryNotFound, RuleNotFound
from replicator.service.access.identity import Identity
from replicator.service.views.rule_views import RuleViews
from replicator.store.traffic import Moved, Requested, Span

T = TypeVar("T")

DAYS: Final = 14
# So long an answer is given again: the rows behind it may be many, and a day is long.
_KEPT_FOR: Final = timedelta(seconds=60)
_KEPT: Final = 100


class Traffic(Protocol):
    """Adds up what runs did."""

    async def by_day(
        self, since: date, rules: Sequence[str] | None = None
    ) -> Mapping[date, Moved]: ...

    async def of_rules(
        self, since: date, rules: Sequence[str]
    ) -> Mapping[str, Mapping[date, int]]: ...

    async def requests(self, since: date, registry: str | None = None) -> Sequence[Requested]: ...

    async def spans(self, rule: str, since: date) -> Sequence[Span]: ...


class TrafficViews:
    """Shows the traffic of the last days, today included."""

    def __init__(self, traffic: Traffic, rules: RuleViews, clock: Callable[[], datetime]) -> None:
        self._traffic = traffic
        self._rules = rules
        self._clock = clock
        self._kept: dict[Hashable, tuple[datetime, Any]] = {}

    @property
    def days(self) -> tuple[date, ...]:
        """The days that are shown, in UTC."""
        today = self._clock().date()
        return tuple(today - timedelta(days=ago) for ago in reversed(range(DAYS)))

    async def by_day(self, who: Identity, rule: str | None = None) -> Mapping[date, Moved]:
        """Return the bytes of one rule, or of all that *who* may see. Raises RuleNotFound."""
        if rule is not None:
            _require_covered(who, rule)
            names: tuple[str, ...] | None = (rule,)
        elif who.sees_all:
            names = None
        else:
            names = tuple(each.name for each in await self._rules.visible(who))
        since = self.days[0]
        return await self._once(("days", names), lambda: self._traffic.by_day(since, names))

    async def of_rules(self, names: Sequence[str]) -> Mapping[str, Mapping[date, int]]:
        """Return the bytes that were moved, for each of some rules that may be seen."""
        wanted, since = tuple(names), self.days[0]
        return await self._once(("rules", wanted), lambda: self._traffic.of_rules(since, wanted))

    async def requests(self, who: Identity, registry: str | None = None) -> Sequence[Requested]:
        """Return the requests to registries, or to one. Raises RegistryNotFound."""
        if not who.sees_all:
            if registry is not None:
                raise RegistryNotFound(f"there is no registry {registry!r}")
            return ()
        since = self.days[0]
        return await self._once(
            ("requests", registry), lambda: self._traffic.requests(since, registry)
        )

    async def spans(self, who: Identity, rule: str) -> Sequence[Span]:
        """Return the finished runs of a rule, oldest first. Raises RuleNotFound."""
        _require_covered(who, rule)
        return await self._traffic.spans(rule, self.days[0])

    async def _once(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Answer from before if that is not long ago."""
        now = self._clock()
        kept = self._kept.get(key)
        if kept is not None and now - kept[0] < _KEPT_FOR:
            found: T = kept[1]
            return found
        found = await ask()
        self._kept[key] = (now, found)
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return found


def _require_covered(who: Identity, rule: str) -> None:
    if not who.covers(rule):
        raise RuleNotFound(f"there is no rule {rule!r}")
