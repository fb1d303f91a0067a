"""What is to be told: a pure decision from how a rule stands, and from what was told before."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from replicator.store.records import LatestRun, RunState
from replicator.values import dataclass

# Of the same state of a rule nothing more is told for so long.
QUIET: Final = timedelta(hours=1)


class Occasion(enum.StrEnum):
    """What somebody may want to be told of."""

    FAILURE = "failure"
    RECOVERY = "recovery"
    LAG = "lag"
    CHANGE = "change"


class Topic(enum.StrEnum):
    """What is kept apart for each rule and channel: each has a state of its own."""

    RUNS = "runs"
    LAG = "lag"
    CONTENT = "content"


class State(enum.StrEnum):
    """How a rule stands in one respect."""

    WELL = "well"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be told; *facts* are numbers and names for programs."""

    occasion: Occasion
    rule: str
    run: str
    at: datetime
    text: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What is known to a channel of a rule, on one topic.

    *told* is the last state that arrived, *run* the newest that counted; *pending* is still to be
    told, not before *due_at*.
    """

    topic: Topic
    state: State
    since: datetime
    run: int
    due_at: datetime
    told: State = State.WELL
    told_at: datetime | None = None
    pending: Notice | None = None

    def arrived(self, now: datetime) -> Told:
        """Return what is known when *pending* has arrived."""
        return replace(self, told=self.state, told_at=now, pending=None)


def next_told(
    topic: Topic,
    standing: LatestRun,
    before: Told | None,
    occasions: frozenset[Occasion],
    now: datetime,
) -> Told | None:
    """Return what is known after a look at a rule; None when nothing has to be remembered.

    A change of state is told at once, and what stays as it is at most once in QUIET, when a newer
    run says so. What was not told yet and is over by now is never told.
    """
    if topic is Topic.CONTENT:
        return _content(standing, before, occasions, now)
    state = _state(topic, standing, now)
    if before is None:
        if state is State.WELL:
            return None
        before = Told(topic, State.WELL, standing.finished_at, 0, now)
    if state is not before.state:
        before = replace(before, state=state, since=now, run=standing.number, pending=None)
    if before.pending is not None:
        return before
    # Not only when the state changes: what arrived may be known a moment later.
    if state is not before.told or _is_repeated(topic, standing, before, now):
        return _with_notice(replace(before, run=standing.number), standing, occasions, now)
    return before


def _state(topic: Topic, standing: LatestRun, now: datetime) -> State:
    if topic is Topic.RUNS:
        broken = standing.state in (RunState.FAILED, RunState.PARTIAL)
    else:
        since = standing.in_step_at
        limit = standing.objective
        broken = limit is not None and (since is None or now - since > limit)
    return State.BROKEN if broken else State.WELL


def _is_repeated(topic: Topic, standing: LatestRun, before: Told, now: datetime) -> bool:
    newer = standing.number > before.run or topic is Topic.LAG
    quiet = before.told_at is not None and now - before.told_at < QUIET
    return before.state is State.BROKEN and before.told_at is not None and newer and not quiet


def _with_notice(
    told: Told, standing: LatestRun, occasions: frozenset[Occasion], now: datetime
) -> Told:
    """Let the state be told, if anybody wants that; what nobody wants counts as told."""
    notice = _WRITERS[told.topic, told.state](standing, now)
    if notice.occasion not in occasions:
        return replace(told, told=told.state)
    return replace(told, due_at=now, pending=notice)


def _content(
    standing: LatestRun, before: Told | None, occasions: frozenset[Occasion], now: datetime
) -> Told | None:
    """Tell of changes; what comes within QUIET of the last time is told together after it."""
    if Occasion.CHANGE not in occasions:
        return None
    if before is None:
        before = Told(Topic.CONTENT, State.WELL, now, 0, now)
    changes = {name: standing.counts.get(name, 0) for name in _CHANGES}
    if standing.number <= before.run or not any(changes.values()):
        return before
    if before.pending is not None:
        waiting = before.pending.facts["changes"]
        changes = {name: changes[name] + waiting[name] for name in _CHANGES}
    due_at = now if before.told_at is None else max(now, before.told_at + QUIET)
    notice = _changed(standing, now, changes)
    return replace(before, run=standing.number, due_at=due_at, pending=notice)


def _failed(standing: LatestRun, now: datetime) -> Notice:
    counts = standing.counts
    troubles = [f"{counts[name]} {name}" for name in _TROUBLES if counts.get(name)]
    why = standing.error or (f"tags: {', '.join(troubles)}" if troubles else "")
    text = f"rule {standing.rule} {standing.state}" + (f": {why}" if why else "")
    return _notice(Occasion.FAILURE, standing, now, text)


def _recovered(standing: LatestRun, now: datetime) -> Notice:
    return _notice(Occasion.RECOVERY, standing, now, f"rule {standing.rule} is well again")


def _late(standing: LatestRun, now: datetime) -> Notice:
    if standing.in_step_at is None:
        how = "was never in step"
    else:
        how = f"is not in step since {_duration(now - standing.in_step_at)}"
    wanted = "" if standing.objective is None else _duration(standing.objective)
    text = f"rule {standing.rule} {how}; its objective is {wanted}"
    return _notice(Occasion.LAG, standing, now, text)


def _in_time(standing: LatestRun, now: datetime) -> Notice:
    return _notice(Occasion.RECOVERY, standing, now, f"rule {standing.rule} is in step again")


def _changed(standing: LatestRun, now: datetime, changes: Mapping[str, int]) -> Notice:
    parts = [f"{number} {name}" for name, number in changes.items() if number]
    text = f"rule {standing.rule} changed tags: {', '.join(parts)}"
    notice = _notice(Occasion.CHANGE, standing, now, text)
    return replace(notice, facts={**notice.facts, "changes": dict(changes)})


def _notice(occasion: Occasion, standing: LatestRun, now: datetime, text: str) -> Notice:
    facts = {
        "state": standing.state.value,
        "counts": dict(standing.counts),
        "finished_at": standing.finished_at.isoformat(),
        "in_step_at": None if standing.in_step_at is None else standing.in_step_at.isoformat(),
    }
    return Notice(occasion, standing.rule, standing.run, now, text, facts)


def _duration(span: timedelta) -> str:
    """Write a time span for people, such as ``2h 30m``."""
    minutes = int(span.total_seconds()) // 60
    parts = (minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m")
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "less than 1m"


_CHANGES: Final = ("copied", "pruned")
_TROUBLES: Final = ("failed", "blocked", "conflict", "deferred")
_WRITERS: Final[Mapping[tuple[Topic, State], Callable[[LatestRun, datetime], Notice]]] = {
    (Topic.RUNS, State.BROKEN): _failed,
    (Topic.RUNS, State.WELL): _recovered,
    (Topic.LAG, State.BROKEN): _late,
    (Topic.LAG, State.WELL): _in_time,
}
