"""RunPages: runs and their actions, a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sqlalchemy import Select, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import RunNotFound
from replicator.planning.plan import Decision
from replicator.store.actions import action_from_row
from replicator.store.database import Database
from replicator.store.records import ActionRecord, Outcome, RunRecord, RunState
from replicator.store.run_rows import run_from_row
from replicator.store.tables import action, run
from replicator.values import dataclass

# Registry, repository and tag of the last action of a page.
ActionKey: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, as far as it has been written down: tags by outcome, and bytes.

    A tag is written down a moment after it is done, bytes also while they are on their way.
    """

    pending: int = 0
    written: int = 0
    unchanged: int = 0
    failed: int = 0
    bytes_moved: int = 0
    bytes_mounted: int = 0
    bytes_skipped: int = 0


class RunPages:
    """Reads the history for those who look at it piece by piece."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def runs(
        self,
        *,
        before: int | None,
        limit: int,
        rule: str | None = None,
        state: RunState | None = None,
        covers: Callable[[str], bool] | None = None,
    ) -> tuple[RunRecord, ...]:
        """Return runs, newest first, from before the one of number *before* on.

        *covers* says of the name of a rule whether its runs may be seen; None: all of them.
        """
        query = select(run).order_by(run.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(run.c.number < before)
        if rule is not None:
            query = query.where(run.c.rule == rule)
        if state is not None:
            query = query.where(run.c.state == state.value)
        async with self._database.reading() as connection:
            if covers is not None:
                query = await _of_covered_rules(connection, query, covers)
            return tuple(map(run_from_row, await connection.execute(query)))

    async def find(self, run_id: str) -> RunRecord:
        """Return a run by its whole id. Raises RunNotFound."""
        async with self._database.reading() as connection:
            found = (await connection.execute(select(run).where(run.c.id == run_id))).one_or_none()
        if found is None:
            raise RunNotFound(f"there is no run {run_id!r}")
        return run_from_row(found)

    async def actions(
        self,
        number: int,
        *,
        after: ActionKey | None,
        limit: int,
        outcome: Outcome | None = None,
        decision: Decision | None = None,
        text: str | None = None,
    ) -> tuple[ActionRecord, ...]:
        """Return actions of a run by destination, from behind the one of key *after* on.

        *text* is a part of a destination's repository or tag, of the source, or of the error.
        """
        key = (action.c.registry, action.c.repository, action.c.tag)
        query = select(action).where(action.c.run == number).order_by(*key).limit(limit)
        if after is not None:
            query = query.where(tuple_(*key) > tuple_(*after))
        if outcome is not None:
            query = query.where(action.c.outcome == outcome.value)
        if decision is not None:
            query = query.where(action.c.decision == decision.value)
        if text is not None:
            searched = (action.c.repository, action.c.tag, action.c.source, action.c.error_message)
            query = query.where(or_(*(each.contains(text, autoescape=True) for each in searched)))
        async with self._database.reading() as connection:
            return tuple(map(action_from_row, await connection.execute(query)))

    async def progress(self, record: RunRecord) -> Progress:
        """Return how far a run is, of whichever process it is."""
        query = (
            select(action.c.outcome, func.count())
            .where(action.c.run == record.number)
            .group_by(action.c.outcome)
        )
        async with self._database.reading() as connection:
            counts = {row[0]: row[1] for row in await connection.execute(query)}
        return Progress(
            **{outcome.value: counts.get(outcome.value, 0) for outcome in Outcome},
            bytes_moved=record.totals.bytes_moved,
            bytes_mounted=record.totals.bytes_mounted,
            bytes_skipped=record.totals.bytes_skipped,
        )


async def _of_covered_rules(
    connection: AsyncConnection, query: Select[tuple[object, ...]], covers: Callable[[str], bool]
) -> Select[tuple[object, ...]]:
    """Limit *query* to rules that may be seen; also those that are gone have runs."""
    names = (await connection.scalars(select(run.c.rule).distinct())).all()
    return query.where(run.c.rule.in_([name for name in names if covers(name)]))
