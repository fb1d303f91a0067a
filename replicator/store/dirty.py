"""DirtyRepositories: of which a registry said that something changed, until a run compared them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.oci.reference import RepositoryName
from replicator.planning.rule import Rule
from replicator.store.database import Database
from replicator.store.operating_tables import dirty_repository as dirty
from replicator.store.queue import add_run
from replicator.store.records import RunRecord, RunState
from replicator.store.rules import rule_from_row
from replicator.store.tables import rule as rules
from replicator.store.tables import run
from replicator.store.upsert import in_order, upsert

# Why such a run was made, for the history.
WEBHOOK: Final = "webhook"
# A run that was not good is followed by another after a minute, later after twice as long.
_FIRST_DELAY: Final = timedelta(minutes=1)
_MOST_DOUBLINGS: Final = 6


class DirtyRepositories:
    """Keeps one mark for each repository of a rule, however many notices come."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def mark(
        self, repositories: Collection[tuple[str, RepositoryName]], now: datetime
    ) -> None:
        """Note that repositories of rules may have changed."""
        rows = [
            {
                "rule": rule,
                "registry": name.registry,
                "repository": name.path,
                "marked_at": now,
                "run": None,
                "failures": 0,
                "next_try_at": now,
            }
            for rule, name in repositories
        ]
        if rows:
            async with self._database.writing() as connection:
                await connection.execute(upsert(connection, dirty), in_order(dirty, rows))

    async def queue_runs(self, now: datetime) -> tuple[RunRecord, ...]:
        """Let a run wait for each rule that has marks, and no unfinished run; return them.

        Marks whose run was good are over.
        """
        async with self._database.writing() as connection:
            await _settle(connection, now)
            due = (
                select(dirty.c.rule)
                .where(dirty.c.run.is_(None), dirty.c.next_try_at <= now)
                .where(dirty.c.rule.not_in(select(run.c.rule).where(run.c.finished_at.is_(None))))
            )
            names = (await connection.scalars(due.distinct().order_by(dirty.c.rule))).all()
            made = [await _queue(connection, name, now) for name in names]
            return tuple(record for record in made if record is not None)


async def _settle(connection: AsyncConnection, now: datetime) -> None:
    """Forget marks whose run was good; those of another run wait for the next."""
    ended = await connection.execute(
        select(*dirty.primary_key.columns, dirty.c.failures, run.c.state)
        .join_from(dirty, run, run.c.id == dirty.c.run, isouter=True)
        .where(dirty.c.run.is_not(None))
        # A run that is not there was forgotten: nobody knows how it ended.
        .where((run.c.finished_at.is_not(None)) | (run.c.id.is_(None)))
    )
    good: list[tuple[str, str, str]] = []
    for row in ended.all():
        key = (row.rule, row.registry, row.repository)
        if row.state in (RunState.SUCCEEDED, RunState.EMPTY):
            good.append(key)
            continue
        delay = _FIRST_DELAY * 2 ** min(row.failures, _MOST_DOUBLINGS)
        again = {"run": None, "failures": row.failures + 1, "next_try_at": now + delay}
        await connection.execute(update(dirty).where(_key().in_([key])).values(again))
    if good:
        await connection.execute(delete(dirty).where(_key().in_(good)))


async def _queue(connection: AsyncConnection, name: str, now: datetime) -> RunRecord | None:
    """Let a run wait that compares what is marked of a rule; None when the rule is gone."""
    mine = dirty.c.rule == name
    rule = await _rule(connection, name)
    if rule is None:
        await connection.execute(delete(dirty).where(mine))
        return None
    waiting = (mine, dirty.c.run.is_(None), dirty.c.next_try_at <= now)
    found = await connection.execute(select(dirty.c.registry, dirty.c.repository).where(*waiting))
    repositories = _sorted(found.all())
    if not repositories or await connection.scalar(_unfinished(name)) is not None:
        # Somebody else was here until the rule's row was ours.
        return None
    record = await add_run(connection, rule, WEBHOOK, now, only=repositories)
    await connection.execute(update(dirty).where(*waiting).values(run=record.id))
    return record


def _unfinished(rule: str) -> Any:
    return select(run.c.id).where(run.c.rule == rule, run.c.finished_at.is_(None))


async def _rule(connection: AsyncConnection, name: str) -> Rule | None:
    query = select(rules).where(rules.c.name == name, rules.c.enabled).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else rule_from_row(row)


def _sorted(rows: Sequence[Any]) -> list[str]:
    return sorted(str(RepositoryName(registry, path)) for registry, path in rows)


def _key() -> Any:
    return tuple_(*dirty.primary_key.columns)
