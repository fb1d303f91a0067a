"""RuleStandings: how all rules stand, in few columns, so that a thousand are quickly read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select

from replicator.store.database import Database
from replicator.store.records import RunState
from replicator.store.tables import failing_tag, rule, run
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

    Runs that were limited to some tags say nothing of the rule. *failing* is a number of tags.
    """

    last: LastRun | None = None
    good_at: datetime | None = None
    active: str | None = None
    active_state: RunState | None = None
    failing: int = 0


class RuleStandings:
    """Reads how rules stand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, RuleStanding]:
        """Return how each rule stands, by name."""
        async with self._database.reading() as connection:
            last = {row.rule: _last(row) for row in await connection.execute(_LAST)}
            good = dict(_pairs(await connection.execute(_LAST_GOOD)))
            active = {row.rule: row for row in await connection.execute(_ACTIVE)}
            failing = dict(_pairs(await connection.execute(_FAILING)))
        return {
            name: RuleStanding(
                last.get(name),
                good.get(name),
                active[name].id if name in active else None,
                RunState(active[name].state) if name in active else None,
                failing.get(name, 0),
            )
            for name in {*last, *good, *active, *failing}
        }


def _newest(*conditions: ColumnElement[bool]) -> Any:
    """Return the number of a rule's newest run; the index on rule and number finds it at once."""
    mine = (run.c.rule == rule.c.name, run.c.only.is_(None), *conditions)
    newest = select(run.c.number).where(*mine).order_by(run.c.number.desc()).limit(1)
    return select(newest.correlate(rule).scalar_subquery()).select_from(rule)


_LAST: Final[Select[Any]] = select(
    run.c.rule,
    run.c.id,
    run.c.state,
    run.c.started_at,
    run.c.finished_at,
    run.c.counts,
    run.c.error,
).where(run.c.number.in_(_newest(run.c.finished_at.is_not(None))))
_LAST_GOOD: Final[Select[Any]] = select(run.c.rule, run.c.started_at).where(
    run.c.number.in_(_newest(run.c.state == RunState.SUCCEEDED.value))
)
_ACTIVE: Final[Select[Any]] = select(run.c.rule, run.c.id, run.c.state).where(
    run.c.finished_at.is_(None)
)
_FAILING: Final[Select[Any]] = select(failing_tag.c.rule, func.count()).group_by(failing_tag.c.rule)


def _pairs(rows: Any) -> Any:
    return ((row[0], row[1]) for row in rows)


def _last(row: Any) -> LastRun:
    return LastRun(
        row.id, RunState(row.state), row.started_at, row.finished_at, row.counts, row.error
    )
