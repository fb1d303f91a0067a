"""History: questions about the past that go across runs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from replicator.oci.reference import RepositoryName, Tag
from replicator.store.actions import action_from_row
from replicator.store.database import Database
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

    async def counting_since(self) -> dict[str, datetime]:
        """Return since when the schedule of each rule counts, as far as a service serves it."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(rule_clock.c.rule, rule_clock.c.since))
            return {row.rule: row.since for row in rows}

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
