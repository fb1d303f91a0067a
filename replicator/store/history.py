"""History: questions about the past that go across runs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, or_, select

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.error_budget import GoodRun
from replicator.planning.plan import Decision
from replicator.store.actions import action_from_row
from replicator.store.database import Database
from replicator.store.lost_runs import as_they_are
from replicator.store.records import ActionRecord, RunRecord, RunState
from replicator.store.run_rows import run_from_row
from replicator.store.tables import action, rule_clock, run


class History:
    """Looks back over the runs of all rules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, *, only_good: bool) -> dict[str, RunRecord]:
        """Return the newest finished run of each rule, or the newest that was good.

        A run that was limited to some tags says nothing of the rule.
        """
        newest = select(func.max(run.c.number)).where(
            run.c.finished_at.is_not(None), run.c.only.is_(None)
        )
        if only_good:
            newest = newest.where(run.c.state == RunState.SUCCEEDED.value)
        query = select(run).where(run.c.number.in_(newest.group_by(run.c.rule)))
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return {row.rule: run_from_row(row) for row in rows}

    async def under_way(self) -> dict[str, RunRecord]:
        """Return the run of each rule that is not finished, if there is one."""
        query = select(run).where(run.c.finished_at.is_(None))
        async with self._database.reading() as connection:
            found = list(map(run_from_row, await connection.execute(query)))
            return {each.rule.name: each for each in await as_they_are(connection, found)}

    async def counting_since(self) -> dict[str, datetime]:
        """Return since when the schedule of each rule counts, as far as a service serves it."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(rule_clock.c.rule, rule_clock.c.since))
            return {row.rule: row.since for row in rows}

    async def good_runs(
        self, rules: Collection[str], since: datetime
    ) -> dict[str, tuple[GoodRun, ...]]:
        """Return the good runs of some rules that ended after *since*, and of each the one before,
        oldest first. A run that was limited to some tags says nothing of the rule."""
        good = (
            run.c.rule.in_(rules),
            run.c.state == RunState.SUCCEEDED.value,
            run.c.only.is_(None),
        )
        before = select(func.max(run.c.number)).where(*good, run.c.finished_at <= since)
        query = (
            select(run.c.rule, run.c.started_at, run.c.finished_at)
            .where(*good)
            .where(or_(run.c.finished_at > since, run.c.number.in_(before.group_by(run.c.rule))))
            .order_by(run.c.number)
        )
        found: dict[str, list[GoodRun]] = {}
        async with self._database.reading() as connection:
            for row in await connection.execute(query):
                found.setdefault(row.rule, []).append(GoodRun(row.started_at, row.finished_at))
        return {rule: tuple(runs) for rule, runs in found.items()}

    async def deferred_until(self) -> dict[str, datetime]:
        """Return, for each rule of whose run something is put off, when the first of it is due."""
        # Only a service has items; who asks for something else need not load what is known of them.
        from replicator.store.remaining import deferred_by_rule

        async with self._database.reading() as connection:
            return await deferred_by_rule(connection)

    async def left_alone(
        self, runs: Collection[int], *, most: int
    ) -> dict[int, tuple[ActionRecord, ...]]:
        """Return what each of some runs left alone for a person, by number; at most so much."""
        place = (action.c.registry, action.c.repository, action.c.tag)
        nth = func.row_number().over(partition_by=action.c.run, order_by=place).label("nth")
        turned_down = [Decision.CONFLICT.value, Decision.BLOCKED.value]
        numbered = (
            select(action, nth)
            .where(action.c.run.in_(runs), action.c.decision.in_(turned_down))
            .subquery()
        )
        query = select(numbered).where(numbered.c.nth <= most)
        found: dict[int, tuple[ActionRecord, ...]] = {}
        async with self._database.reading() as connection:
            for row in await connection.execute(query.order_by(numbered.c.run, numbered.c.nth)):
                found[row.run] = (*found.get(row.run, ()), action_from_row(row))
        return found

    async def last_action(
        self, destination: RepositoryName, tag: Tag
    ) -> tuple[RunRecord, ActionRecord] | None:
        """Return what was last written down about a destination tag, and by which run."""
        query = (
            select(action)
            .where(
                action.c.registry == destination.registry,
                action.c.repository == destination.path,
                action.c.tag == str(tag),
            )
            .order_by(action.c.run.desc())
            .limit(1)
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).one_or_none()
            if found is None:
                return None
            its_run = await connection.execute(select(run).where(run.c.number == found.run))
            return run_from_row(its_run.one()), action_from_row(found)
