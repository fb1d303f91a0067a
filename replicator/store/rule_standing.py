"""RuleStandings: how all rules stand, in few columns, so that a thousand are quickly read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select, true

from replicator.store.database import Database
from replicator.store.records import RunState
from replicator.store.tables import failing_tag, run
from replicator.store.tables import rule as table
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest finished run of a rule, as far as a list shows it."""

    id: str
    state: RunState
    started_at: datetime
    finished_at: datetime
    counts: Mapping[str, int]
    error: str


@dataclass(frozen=True, slots=True)
class RuleStanding:
    """Of one rule: its newest finished run, when its last good one began, and what is under way.

    Runs that were limited to some tags say nothing of the rule. *failing* is a number of tags,
    *failing_since* when the first of them began to fail, and *failing_why* what is wrong with one
    of those that fail as most of them do.
    """

    last: LastRun | None = None
    good_at: datetime | None = None
    active: str | None = None
    active_state: RunState | None = None
    failing: int = 0
    failing_since: datetime | None = None
    failing_why: str = ""


class RuleStandings:
    """Reads how rules stand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, RuleStanding]:
        """Return how each rule stands, by name."""
        return await self._of(true())

    async def one(self, rule: str) -> RuleStanding:
        """Return how one rule stands."""
        return (await self._of(table.c.name == rule)).get(rule, RuleStanding())

    async def _of(self, which: ColumnElement[bool]) -> dict[str, RuleStanding]:
        names = select(table.c.name).where(which)
        async with self._database.reading() as connection:
            found = await connection.execute(_LAST.where(_newest(which, _IS_FINISHED)))
            last = {row.rule: _last(row) for row in found}
            found = await connection.execute(_LAST_GOOD.where(_newest(which, _IS_GOOD)))
            good = {row.rule: row.started_at for row in found}
            found = await connection.execute(_ACTIVE.where(run.c.rule.in_(names)))
            active = {row.rule: row for row in found}
            found = await connection.execute(_FAILING.where(failing_tag.c.rule.in_(names)))
            failing = _by_rule(found)
        return {
            name: RuleStanding(
                last.get(name),
                good.get(name),
                active[name].id if name in active else None,
                RunState(active[name].state) if name in active else None,
                *_failing(failing.get(name, ())),
            )
            for name in {*last, *good, *active, *failing}
        }


def _newest(which: ColumnElement[bool], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return what holds for the newest runs of rules; the index on rule and number finds each."""
    newest = (
        select(_candidate.c.number)
        .where(_candidate.c.rule == table.c.name, _candidate.c.only.is_(None), condition)
        .order_by(_candidate.c.number.desc())
        .limit(1)
        .correlate(table)
        .scalar_subquery()
    )
    return run.c.number.in_(select(newest).select_from(table).where(which))


_candidate = run.alias("_candidate")
_IS_FINISHED: Final = _candidate.c.finished_at.is_not(None)
_IS_GOOD: Final = _candidate.c.state == RunState.SUCCEEDED.value
_LAST: Final = select(
    run.c.rule,
    run.c.id,
    run.c.state,
    run.c.started_at,
    run.c.finished_at,
    run.c.counts,
    run.c.error,
)
_LAST_GOOD: Final = select(run.c.rule, run.c.started_at)
_ACTIVE: Final = select(run.c.rule, run.c.id, run.c.state).where(run.c.finished_at.is_(None))
_FAILING: Final = select(
    failing_tag.c.rule,
    func.count().label("number"),
    func.min(failing_tag.c.since).label("since"),
    func.min(failing_tag.c.message).label("message"),
).group_by(failing_tag.c.rule, failing_tag.c.kind)


def _by_rule(found: Iterable[Any]) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {}
    for row in found:
        rows.setdefault(row.rule, []).append(row)
    return rows


def _failing(kinds: Sequence[Any]) -> tuple[int, datetime | None, str]:
    """Add up the tags that fail in different ways, and take the words for the commonest."""
    if not kinds:
        return 0, None, ""
    commonest = max(kinds, key=lambda row: (row.number, row.message))
    since = min(row.since for row in kinds)
    return sum(row.number for row in kinds), since, commonest.message


def _last(row: Any) -> LastRun:
    return LastRun(
        row.id, RunState(row.state), row.started_at, row.finished_at, row.counts, row.error
    )
