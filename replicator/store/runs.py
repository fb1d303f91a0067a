"""Runs: which rule was carried out when, by whom, and what became of each of its tags."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import LeaseLost, RunActive
from replicator.planning.rule import Rule
from replicator.store.abandoned import LEASE, active_run, end_abandoned, under_way
from replicator.store.actions import action_from_row, action_to_row
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.records import ActionRecord, RunRecord, RunState, Totals
from replicator.store.run_rows import (
    find_run,
    insert_runs,
    new_run_row,
    run_from_row,
    totals_row,
)
from replicator.store.tables import action, run
from replicator.store.text import storable
from replicator.store.upsert import upsert
from replicator.transfer.gathering import Gathering
from replicator.values import dataclass

_Ending: TypeAlias = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Start:
    rule: Rule
    trigger: str
    now: datetime


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
        self._starts = Gathering(self._start_all)
        self._endings = Gathering(self._finish_all)

    async def start(self, rule: Rule, trigger: str, now: datetime) -> RunRecord:
        """Begin a run of *rule*, for the reason *trigger*. Raises RunActive.

        Those that begin at the same time do so in one transaction.
        """
        starting = asyncio.ensure_future(self._starts.ask(_Start(rule, trigger, now)))
        try:
            begun = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Nobody else would end it before this process is gone.
            begun = await starting
            if isinstance(begun, RunRecord):
                await self.finish(begun.id, RunState.CANCELLED, Totals(), now)
            raise
        if isinstance(begun, RunActive):
            raise begun
        return begun

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
        """End a run. Raises LeaseLost. Those that end at the same time do so in one transaction."""
        ending = {"state": state.value, "finished_at": now, "error": storable(error)}
        if not await self._endings.ask((run_id, {**ending, **totals_row(totals)})):
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

    async def _start_all(self, starts: Sequence[_Start]) -> list[RunRecord | RunActive]:
        """Begin a run for each of *starts* whose rule has none."""
        rows = [self._row(start) for start in starts]
        async with self._database.writing() as connection:
            await end_abandoned(connection, max(start.now for start in starts), me=self._owner)
            numbers = await insert_runs(connection, rows)
            return [
                self._record(start, row["id"], numbers[row["id"]])
                if row["id"] in numbers
                else await _refusal(connection, start.rule)
                for start, row in zip(starts, rows, strict=True)
            ]

    def _row(self, start: _Start) -> dict[str, Any]:
        running = {
            "state": RunState.RUNNING.value,
            "owner": self._owner,
            "leased_until": start.now + LEASE,
            "started_at": start.now,
        }
        return new_run_row(start.rule, start.trigger, start.now, running)

    def _record(self, start: _Start, run_id: str, number: int) -> RunRecord:
        state, owner = RunState.RUNNING, self._owner
        return RunRecord(run_id, number, start.rule, start.trigger, state, owner, start.now)

    async def _finish_all(self, endings: Sequence[_Ending]) -> list[bool]:
        """End runs, and say of each whether it was this process's to end."""
        ids = [run_id for run_id, _ in endings]
        mine = select(run.c.id).where(run.c.id.in_(ids), *self._unfinished).with_for_update()
        async with self._database.writing() as connection:
            found = frozenset((await connection.scalars(mine)).all())
            rows = [{"of_id": key, **columns} for key, columns in endings if key in found]
            if rows:
                await connection.execute(update(run).where(run.c.id == bindparam("of_id")), rows)
        return [key in found for key in ids]

    async def _number_of_mine(self, connection: AsyncConnection, run_id: str) -> int:
        """Find an unfinished run of this process, and keep others from ending it meanwhile."""
        mine = select(run.c.number).where(*self._is_mine(run_id))
        number: int | None = await connection.scalar(mine.with_for_update())
        if number is None:
            raise _lost(run_id)
        return number

    def _is_mine(self, run_id: str) -> tuple[ColumnElement[bool], ...]:
        """Say of which row it is true that it is an unfinished run of this process."""
        return run.c.id == run_id, *self._unfinished

    @property
    def _unfinished(self) -> tuple[ColumnElement[bool], ...]:
        return run.c.owner == self._owner, run.c.finished_at.is_(None)


async def _refusal(connection: AsyncConnection, rule: Rule) -> RunActive:
    """Say why *rule* cannot be started now."""
    active = await active_run(connection, rule.name)
    if active is None:
        return RunActive(f"rule {rule.name!r} was just started by another process")
    return RunActive(under_way(active))


def _lost(run_id: str) -> LeaseLost:
    return LeaseLost(f"run {run_id} was ended by another process, or is finished")
