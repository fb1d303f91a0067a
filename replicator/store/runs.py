"""Runs: which rule was carried out when, by whom, and what became of each of its tags."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import LeaseLost, RunActive
from replicator.planning.rule import Rule
from replicator.store.abandoned import LEASE, active_run, end_abandoned, under_way
from replicator.store.actions import action_from_row, action_to_row
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.records import ActionRecord, RunRecord, RunState, Totals
from replicator.store.run_rows import find_run, insert_run, run_from_row, totals_row
from replicator.store.tables import action, run
from replicator.store.text import storable
from replicator.store.upsert import upsert


class Runs:
    """Keeps runs and their actions.

    A run belongs to the process that started it, until it is finished. When that process is
    gone, or is on another machine and has not renewed its lease, the next start of any run ends
    it as failed, "interrupted". Whatever the old owner then still wants to write is refused with
    LeaseLost. What services carry out is in pieces; see items.
    """

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = str(owner)

    async def start(self, rule: Rule, trigger: str, now: datetime) -> RunRecord:
        """Begin a run of *rule*, for the reason *trigger*. Raises RunActive."""
        async with self._database.writing() as connection:
            await end_abandoned(connection, now, me=self._owner)
            active = await active_run(connection, rule.name)
            if active is not None:
                raise RunActive(under_way(active))
            running = {
                "state": RunState.RUNNING.value,
                "owner": self._owner,
                "leased_until": now + LEASE,
                "started_at": now,
            }
            return await insert_run(connection, rule, trigger, now, running)

    async def renew(self, now: datetime, runs: Collection[str]) -> None:
        """Give a sign of life for *runs* of this process; due several times in LEASE."""
        mine = update(run).where(
            run.c.id.in_(runs), run.c.owner == self._owner, run.c.finished_at.is_(None)
        )
        async with self._database.writing() as connection:
            await connection.execute(mine.values(leased_until=now + LEASE))

    async def taken(self, runs: Collection[str]) -> frozenset[str]:
        """Return which of *runs*, which were this process's, are another's or wait for one."""
        if not runs:
            return frozenset()
        query = select(run.c.id).where(run.c.id.in_(runs), run.c.owner != self._owner)
        async with self._database.reading() as connection:
            return frozenset((await connection.scalars(query)).all())

    async def to_cancel(self) -> frozenset[str]:
        """Return the runs of this process that somebody asked to be cancelled."""
        mine = select(run.c.id).where(
            run.c.owner == self._owner, run.c.finished_at.is_(None), run.c.cancel_at.is_not(None)
        )
        async with self._database.reading() as connection:
            return frozenset((await connection.scalars(mine)).all())

    async def save(self, run_id: str, actions: Sequence[ActionRecord]) -> None:
        """Add actions to a run, or replace those for the same tags. Raises LeaseLost."""
        async with self._database.writing() as connection:
            number = await self._number_of_mine(connection, run_id)
            if actions:
                rows = [action_to_row(number, each) for each in actions]
                await connection.execute(upsert(connection, action), rows)

    async def finish(
        self, run_id: str, state: RunState, totals: Totals, now: datetime, *, error: str = ""
    ) -> None:
        """End a run. Raises LeaseLost."""
        ending = {"state": state.value, "finished_at": now, "error": storable(error)}
        mine = update(run).where(*self._is_mine(run_id)).values(**ending, **totals_row(totals))
        async with self._database.writing() as connection:
            if not (await connection.execute(mine)).rowcount:
                raise _lost(run_id)

    async def recent(self, *, rule: str | None = None, limit: int = 50) -> tuple[RunRecord, ...]:
        """Return the newest runs, of one rule if it is given, newest first."""
        query = select(run).order_by(run.c.number.desc()).limit(limit)
        if rule is not None:
            query = query.where(run.c.rule == rule)
        async with self._database.reading() as connection:
            return tuple(map(run_from_row, await connection.execute(query)))

    async def show(self, run_id: str) -> tuple[RunRecord, tuple[ActionRecord, ...]]:
        """Return a run, by its id or the beginning of it, and its actions by destination.

        Raises RunNotFound, also when several begin like that.
        """
        async with self._database.reading() as connection:
            record = run_from_row(await find_run(connection, run_id))
            if record.finished_at is None and record.queued_at is not None:
                # Only a service has items; other commands need not load what is known of them.
                from replicator.store.remaining import deferred_until

                record = replace(record, deferred_until=await deferred_until(connection, record))
            its_actions = select(action).where(action.c.run == record.number)
            rows = await connection.execute(
                its_actions.order_by(action.c.registry, action.c.repository, action.c.tag)
            )
            return record, tuple(map(action_from_row, rows))

    async def _number_of_mine(self, connection: AsyncConnection, run_id: str) -> int:
        """Find an unfinished run of this process, and keep others from ending it meanwhile."""
        mine = select(run.c.number).where(*self._is_mine(run_id))
        number: int | None = await connection.scalar(mine.with_for_update())
        if number is None:
            raise _lost(run_id)
        return number

    def _is_mine(self, run_id: str) -> tuple[ColumnElement[bool], ...]:
        """Say of which row it is true that it is an unfinished run of this process."""
        return run.c.id == run_id, run.c.owner == self._owner, run.c.finished_at.is_(None)


def _lost(run_id: str) -> LeaseLost:
    return LeaseLost(f"run {run_id} was ended by another process, or is finished")
