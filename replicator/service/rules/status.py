"""RuleStatus: how each rule is doing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from replicator.planning.backoff import Failing
from replicator.planning.due_times import DueTimes, shift
from replicator.planning.error_budget import ErrorBudget
from replicator.planning.rule import Rule
from replicator.planning.windows import end_of_window
from replicator.service.rules.budgets import GoodRuns, error_budgets
from replicator.store.records import ActionRecord, RunRecord
from replicator.values import dataclass

# Conflicts of a run that are named; the run's own page has all of them.
_MOST_LEFT_ALONE: Final = 100


class History(GoodRuns, Protocol):
    """Knows the newest runs, and the good ones."""

    async def latest(self, *, only_good: bool) -> Mapping[str, RunRecord]:
        """Return the newest finished run of each rule, or the newest that was good."""
        ...

    async def under_way(self) -> Mapping[str, RunRecord]:
        """Return the unfinished run of each rule that has one."""
        ...

    async def counting_since(self) -> Mapping[str, datetime]:
        """Return since when the schedule of each rule counts."""
        ...

    async def deferred_until(self) -> Mapping[str, datetime]:
        """Return when what is put off of a rule's run comes due."""
        ...

    async def left_alone(
        self, runs: Collection[int], *, most: int
    ) -> Mapping[int, Sequence[ActionRecord]]:
        """Return what runs left alone for a person, by their numbers."""
        ...


class FailingTags(Protocol):
    async def failing(self) -> Sequence[Failing]: ...


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """One rule: its last run, its last good one, how long ago that was, and when it is next due.

    ``lag`` is None when no run was good yet, ``next_due`` when the rule has no schedule or rests.
    ``under_way`` is its unfinished run, if it has one, and ``deferred_until`` when the first part
    of that comes due that is put off.
    ``left_alone`` are the first conflicts of the last run, and what was blocked. ``budget`` is for
    rules that have an objective.
    """

    rule: Rule
    last: RunRecord | None
    last_success: RunRecord | None
    lag: timedelta | None
    next_due: datetime | None
    failing: Sequence[Failing]
    under_way: RunRecord | None
    deferred_until: datetime | None
    left_alone: Sequence[ActionRecord]
    budget: ErrorBudget | None


async def status_of(
    rules: Sequence[Rule],
    *,
    history: History,
    notes: FailingTags,
    clock: Callable[[], datetime],
) -> tuple[RuleStatus, ...]:
    """Return how each of *rules* is doing, in their order. Raises StoreError."""
    last, good = await history.latest(only_good=False), await history.latest(only_good=True)
    failing: dict[str, list[Failing]] = {}
    for each in await notes.failing():
        failing.setdefault(each.rule, []).append(each)
    since, deferred = await history.counting_since(), await history.deferred_until()
    under_way = await history.under_way()
    left_alone = await _left_alone(history, last)
    now = clock()
    budgets = await error_budgets(rules, history, now)
    return tuple(
        RuleStatus(
            rule,
            last.get(rule.name),
            good.get(rule.name),
            _lag(good.get(rule.name), now),
            next_due(rule, since.get(rule.name, now), now),
            failing.get(rule.name, ()),
            under_way.get(rule.name),
            deferred.get(rule.name),
            _untold(left_alone.get(rule.name, ()), failing.get(rule.name, ())),
            budgets.get(rule.name),
        )
        for rule in rules
    )


async def _left_alone(
    history: History, last: Mapping[str, RunRecord]
) -> Mapping[str, Sequence[ActionRecord]]:
    """Return what the last run of each rule left alone, as far as it did."""
    some = {
        rule: run.number
        for rule, run in last.items()
        if any(map(run.totals.counts.get, ("conflict", "blocked")))
    }
    found = await history.left_alone(some.values(), most=_MOST_LEFT_ALONE) if some else {}
    return {rule: found.get(number, ()) for rule, number in some.items()}


def _untold(
    left_alone: Iterable[ActionRecord], failing: Iterable[Failing]
) -> Sequence[ActionRecord]:
    """Return what was left alone, without the tags that only wait as they failed before."""
    told = {(each.destination, each.tag) for each in failing}
    return [each for each in left_alone if (each.destination, each.tag) not in told]


def _lag(run: RunRecord | None, now: datetime) -> timedelta | None:
    """Return how old that is which the destination is sure to be in step with."""
    return None if run is None else now - run.started_at


def next_due(rule: Rule, since: datetime, now: datetime) -> datetime | None:
    """Return when a run begins by itself: with the jitter, and not within maintenance."""
    if not rule.schedule or not rule.enabled:
        return None
    late = shift(rule.name, rule.jitter)
    due = DueTimes(rule.schedule, rule.timezone, since).next(now - late)
    if due is None:
        return None
    window_end = end_of_window(rule.maintenance, rule.timezone, due + late)
    return (due if window_end is None else window_end) + late
