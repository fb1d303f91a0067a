"""RuleStatus: how each rule is doing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from replicator.planning.backoff import Failing
from replicator.planning.due_times import DueTimes, shift
from replicator.planning.rule import Rule
from replicator.planning.windows import end_of_window
from replicator.store.records import RunRecord
from replicator.values import dataclass


class History(Protocol):
    """Knows the newest runs."""

    async def latest(self, *, only_good: bool) -> Mapping[str, RunRecord]:
        """Return the newest finished run of each rule, or the newest that was good."""
        ...

    async def counting_since(self) -> Mapping[str, datetime]:
        """Return since when the schedule of each rule counts."""
        ...


class FailingTags(Protocol):
    async def failing(self) -> Sequence[Failing]: ...


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """One rule: its last run, its last good one, how long ago that was, and when it is next due.

    ``lag`` is None when no run was good yet, ``next_due`` when the rule has no schedule or rests.
    """

    rule: Rule
    last: RunRecord | None
    last_success: RunRecord | None
    lag: timedelta | None
    next_due: datetime | None
    failing: Sequence[Failing]


async def status_of(
    rules: Iterable[Rule],
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
    since, now = await history.counting_since(), clock()
    return tuple(
        RuleStatus(
            rule,
            last.get(rule.name),
            good.get(rule.name),
            _lag(good.get(rule.name), now),
            next_due(rule, since.get(rule.name, now), now),
            failing.get(rule.name, ()),
        )
        for rule in rules
    )


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
