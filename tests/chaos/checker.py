"""Checker: whether each due time of each rule ended in exactly one way, from the database alone.

    python -m tests.chaos.checker URL [EPSILON]

Nothing of the store is used, so that a fault there cannot hide itself. What is compared are the
due times that a schedule has, the rows that say what became of them, and the runs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import attrgetter

import psycopg

from replicator.planning.due_times import DueTimes

Times = Sequence[datetime]

# Times are taken before the transaction begins that writes them, which a busy machine may hold up.
_SLACK = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Fire:
    """What became of a due time, and how many earlier ones were settled with it."""

    rule: str
    at: datetime
    outcome: str
    run: str | None
    coalesced: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run that a schedule asked for; *began* is None until a worker has it."""

    id: str
    rule: str
    began: datetime | None
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Record:
    """What a database says: the due times of each rule up to *until*, and what became of them."""

    due: Mapping[str, Times]
    fires: Sequence[Fire]
    runs: Sequence[Run]
    until: datetime


@dataclass(slots=True)
class Findings:
    """How many due times there were, how they ended, and each that did not end well.

    *waiting* are those whose run is not over: none of them may be left when all is quiet.
    """

    due: int = 0
    run: int = 0
    skipped: int = 0
    coalesced: int = 0
    missed: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    overlapping: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    delays: list[timedelta] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        return [*self.missed, *self.extra, *self.overlapping, *self.lost]

    def delay(self, share: float) -> float:
        """Return the seconds from a due time to its run that so large a share did not exceed."""
        if not self.delays:
            return 0.0
        ordered = sorted(self.delays)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))].total_seconds()

    def __str__(self) -> str:
        parts = {
            "due": self.due,
            "run": self.run,
            "skipped": self.skipped,
            "coalesced": self.coalesced,
            "missed": len(self.missed),
            "extra": len(self.extra),
            "overlapping": len(self.overlapping),
            "lost": len(self.lost),
            "waiting": len(self.waiting),
            "late": len(self.late),
            "late_p50": f"{self.delay(0.5):.1f}s",
            "late_p99": f"{self.delay(0.99):.1f}s",
        }
        summary = " ".join(f"{name}={value}" for name, value in parts.items())
        return "\n".join([summary, *self.errors])


def check(record: Record, *, epsilon: timedelta) -> Findings:
    """Match due times with what became of them; a run that begins later than *epsilon* is late."""
    found = Findings(due=sum(len(times) for times in record.due.values()))
    runs = {run.id: run for run in record.runs}
    for rule, times in record.due.items():
        fires = sorted((f for f in record.fires if f.rule == rule), key=attrgetter("at"))
        _match(rule, times, [fire for fire in fires if fire.at <= record.until], found)
    for fire in record.fires:
        if fire.outcome == "run" and fire.at <= record.until:
            _follow(fire, runs.get(fire.run or ""), epsilon, found)
    _look_for_doubles(record, found)
    return found


def _match(rule: str, times: Times, fires: Sequence[Fire], found: Findings) -> None:
    """Give each due time to the row at it, or else to the next row, which counts those."""
    ends = {fire.at for fire in fires}
    found.extra += [
        f"{rule}: fired at {fire.at}, not due" for fire in fires if not _in(fire, times)
    ]
    before: list[datetime] = []
    rows = {fire.at: fire for fire in fires}
    for at in times:
        if at not in ends:
            before.append(at)
            continue
        fire = rows[at]
        _count(fire, found)
        _compare(rule, before, fire, found)
        before = []
    found.missed += [f"{rule}: nothing became of {at}" for at in before]


def _in(fire: Fire, times: Times) -> bool:
    """Say whether a row is at a due time; what came before the schedule was set is not asked."""
    return not times or fire.at < times[0] or fire.at in set(times)


def _count(fire: Fire, found: Findings) -> None:
    if fire.outcome == "run":
        found.run += 1
    else:
        found.skipped += 1


def _compare(rule: str, before: Times, fire: Fire, found: Findings) -> None:
    found.coalesced += min(len(before), fire.coalesced)
    surplus = len(before) - fire.coalesced
    if surplus > 0:
        found.missed += [f"{rule}: nothing became of {at}" for at in before[:surplus]]
    for _ in range(-surplus):
        found.extra.append(f"{rule}: a due time before {fire.at} was settled twice")


def _follow(fire: Fire, run: Run | None, epsilon: timedelta, found: Findings) -> None:
    """Look whether the run of a due time came to an end, and how late it began."""
    if run is None:
        found.lost.append(f"{fire.rule}: run {fire.run} of {fire.at} is not there")
        return
    if run.began is not None:
        found.delays.append(run.began - fire.at)
        if run.began - fire.at > epsilon:
            found.late.append(f"{fire.rule}: {run.id} began {run.began - fire.at} late")
    if run.ended is None:
        found.waiting.append(f"{fire.rule}: run {run.id} of {fire.at} is not over")


def _look_for_doubles(record: Record, found: Findings) -> None:
    """Look for runs that no due time asked for, or two, and for those at the same time."""
    asked = Counter(fire.run for fire in record.fires if fire.run)
    found.extra += [f"run {run} is that of {n} due times" for run, n in asked.items() if n > 1]
    found.extra += [
        f"{run.rule}: no due time asked for {run.id}" for run in record.runs if run.id not in asked
    ]
    for first, second in _neighbours(record.runs):
        if first.ended is None or (
            second.began is not None and second.began < first.ended - _SLACK
        ):
            found.overlapping.append(f"{first.rule}: {first.id} and {second.id}")


def _neighbours(runs: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    for rule in {run.rule for run in runs}:
        begun = [run for run in runs if run.rule == rule and run.began is not None]
        yield from pairwise(sorted(begun, key=attrgetter("began")))


def read(url: str, *, until: datetime | None = None) -> Record:
    """Read what a database on a server says of the due times up to *until*, or to its own now."""
    with psycopg.connect(url) as connection:
        # One moment for all: the tables change meanwhile.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        now = connection.execute("SELECT now()").fetchone()
        assert now is not None
        end = until or now[0]
        clocks = connection.execute("SELECT rule, schedule, timezone, since FROM rule_clock")
        due = {
            rule: _due(DueTimes(schedule, timezone, _utc(since)), _utc(since), end)
            for rule, schedule, timezone, since in clocks.fetchall()
        }
        fires = connection.execute("SELECT rule, fire_at, outcome, run, coalesced FROM rule_fire")
        runs = connection.execute(
            "SELECT id, rule, CASE WHEN attempt > 0 THEN started_at END, finished_at FROM run "
            "WHERE trigger = 'schedule'"
        )
        return Record(
            due,
            [Fire(rule, _utc(at), *rest) for rule, at, *rest in fires.fetchall()],
            [Run(*row[:2], *map(_utc_or_none, row[2:])) for row in runs.fetchall()],
            end,
        )


def _due(times: DueTimes, since: datetime, until: datetime) -> Times:
    found = []
    moment = times.next(since)
    while moment is not None and moment <= until:
        found.append(moment)
        moment = times.next(moment)
    return found


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _utc_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else _utc(moment)


def main() -> None:
    url, *rest = sys.argv[1:]
    findings = check(read(url), epsilon=timedelta(seconds=float(rest[0] if rest else 60)))
    print(findings)
    sys.exit(bool(findings.errors))


if __name__ == "__main__":
    main()
