"""OverviewViews: how all rules are doing at a glance, those to look at found by their standing."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from replicator.planning.backoff import Failing
from replicator.planning.error_budget import ErrorBudget
from replicator.planning.rule import Rule
from replicator.service.access.identity import Identity
from replicator.service.rules.budgets import GoodRuns, error_budgets
from replicator.service.rules.status import next_due
from replicator.service.views.paging import Page, page_by_name
from replicator.service.views.rule_views import RuleViews, mentions
from replicator.store.records import RuleNotes, RunState
from replicator.store.rule_standing import RuleStanding
from replicator.values import dataclass


class Standing(enum.StrEnum):
    """How a rule is doing, the first that fits: RUNNING also while it waits for a worker, LATE
    when its last good run is older than its objective, RESTING while it is disabled."""

    RUNNING = "running"
    FAILING = "failing"
    LATE = "late"
    RESTING = "resting"
    NEW = "new"
    IN_STEP = "in-step"


class Standings(Protocol):
    async def all(self) -> Mapping[str, RuleStanding]: ...

    async def one(self, rule: str) -> RuleStanding: ...


class Notes(Protocol):
    async def of_rule(self, rule: str) -> RuleNotes: ...


class History(GoodRuns, Protocol):
    async def counting_since(self) -> Mapping[str, datetime]: ...


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule in the list. ``lag`` is None as long as no run was good, and ``budget`` also where
    the rule has no objective."""

    rule: Rule
    standing: Standing
    stands: RuleStanding
    lag: timedelta | None
    next_due: datetime | None
    budget: ErrorBudget | None


@dataclass(frozen=True, slots=True)
class Overview:
    """A page of rules, and how many of all there are in each standing."""

    lines: Page[RuleLine]
    numbers: Mapping[Standing, int]


class OverviewViews:
    """Shows how rules are doing, by name, a page at a time."""

    def __init__(
        self,
        rules: RuleViews,
        standings: Standings,
        history: History,
        notes: Notes,
        clock: Callable[[], datetime],
    ) -> None:
        self._rules = rules
        self._standings = standings
        self._history = history
        self._notes = notes
        self._clock = clock

    async def page(
        self,
        who: Identity,
        *,
        cursor: str | None,
        limit: int,
        text: str | None = None,
        standing: Standing | None = None,
    ) -> Overview:
        """Return rules; *text* is a part of the name, the source or a destination."""
        now = self._clock()
        stands = await self._standings.all()
        known = [
            (rule, standing_of(rule, stands.get(rule.name, RuleStanding()), now))
            for rule in await self._rules.visible(who)
            if text is None or mentions(rule, text)
        ]
        wanted = [rule for rule, found in known if standing in (None, found)]
        rules = page_by_name(wanted, cursor, limit, lambda rule: rule.name)
        lines = await self._lines(rules.items, stands, now)
        return Overview(Page(lines, rules.next), Counter(found for _, found in known))

    async def one(self, who: Identity, name: str) -> tuple[RuleLine, Sequence[Failing]]:
        """Return how one rule is doing, and which of its tags fail. Raises RuleNotFound."""
        rule, now = await self._rules.one(who, name), self._clock()
        stands = await self._standings.one(name)
        failing = (await self._notes.of_rule(name)).failing.values()
        (line,) = await self._lines([rule], {name: stands}, now)
        return line, sorted(failing, key=lambda each: (each.since, str(each.tag)))

    async def _lines(
        self, rules: Sequence[Rule], stands: Mapping[str, RuleStanding], now: datetime
    ) -> tuple[RuleLine, ...]:
        since = await self._history.counting_since()
        budgets = await error_budgets(rules, self._history, now)
        return tuple(
            _line(
                rule,
                stands.get(rule.name, RuleStanding()),
                since.get(rule.name, now),
                budgets.get(rule.name),
                now,
            )
            for rule in rules
        )


def standing_of(rule: Rule, stands: RuleStanding, now: datetime) -> Standing:
    """Say how a rule is doing."""
    if stands.active is not None:
        return Standing.RUNNING
    if not rule.enabled:
        return Standing.RESTING
    if stands.failing or (stands.last and stands.last.state in _BAD):
        return Standing.FAILING
    if rule.objective and stands.good_at and now - stands.good_at > rule.objective:
        return Standing.LATE
    return Standing.NEW if stands.last is None else Standing.IN_STEP


_BAD = frozenset({RunState.FAILED, RunState.PARTIAL, RunState.CANCELLED})


def _line(
    rule: Rule,
    stands: RuleStanding,
    since: datetime,
    budget: ErrorBudget | None,
    now: datetime,
) -> RuleLine:
    return RuleLine(
        rule,
        standing_of(rule, stands, now),
        stands,
        None if stands.good_at is None else now - stands.good_at,
        next_due(rule, since, now),
        budget,
    )
