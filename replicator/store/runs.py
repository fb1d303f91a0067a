"""Runs: which rule was carried out when, by whom, and what became of each of its tags."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from replicator.errors import LeaseLost, RunActive
from replicator.planning.rule import Rule
from replicator.store.abandoned import LEASE, active_run, end_abandoned, left_waiting, under_way
from replicator.store.actions import action_to_row
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statements import (
    ACTIVE_RUN,
    ADD_RUN,
    FINISH_RUN,
    MINE_AMONG,
    NUMBER_OF_MINE,
    RENEW_RUNS,
    RUNS_TO_CANCEL,
    SAVE_ACTION,
    TAKEN_RUNS,
)
from replicator.store.records import ActionRecord, RunRecord, RunState, Totals
from replicator.store.run_rows import new_run_row, run_from_row, totals_row
from replicator.store.so_far import add_moved
from replicator.store.text import storable
from replicator.transfer.gathering import Gathering
from replicator.transfer.order import Tally
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
            raise await self._as_it_is(rule, begun)
        return begun

    async def renew(self, now: datetime, runs: Collection[str], moved: Mapping[str, Tally]) -> None:
        """Give a sign of life for *runs* of this process, and add what *moved* since the last
        one; due several times in LEASE."""
        renewed = {"runs": list(runs), "me": self._owner, "leased_until": now + LEASE}
        async with self._database.noting() as connection:
            await connection.execute(RENEW_RUNS, renewed)
            await add_moved(connection, moved)

    async def taken(self, runs: Collection[str]) -> frozenset[str]:
        """Return which of *runs*, which were this process's, are another's or wait for one."""
        if not runs:
            return frozenset()
        asked = {"runs": list(runs), "me": self._owner}
        return frozenset(row.id for row in await self._database.ask(TAKEN_RUNS, asked))

    async def to_cancel(self) -> frozenset[str]:
        """Return the runs of this process that somebody asked to be cancelled."""
        found = await self._database.ask(RUNS_TO_CANCEL, {"me": self._owner})
        return frozenset(row.id for row in found)

    async def save(self, run_id: str, actions: Sequence[ActionRecord]) -> None:
        """Add actions to a run, or replace those for the same tags. Raises LeaseLost."""
        async with self._database.noting() as connection:
            number = await self._number_of_mine(connection, run_id)
            if actions:
                rows = [action_to_row(number, each) for each in actions]
                await connection.execute(SAVE_ACTION, rows)

    async def finish(
        self, run_id: str, state: RunState, totals: Totals, now: datetime, *, error: str = ""
    ) -> None:
        """End a run. Raises LeaseLost. Those that end at the same time do so in one transaction."""
        ending = {"state": state.value, "finished_at": now, "error": storable(error)}
        if not await self._endings.ask((run_id, {**ending, **totals_row(totals)})):
            raise _lost(run_id)

    async def recent(self, *, rule: str | None = None, limit: int = 50) -> tuple[RunRecord, ...]:
        """Return the newest runs, of one rule if it is given, newest first."""
        # A run looks at no other; what it does without is not loaded.
        from replicator.store.run_lookup import recent_runs

        async with self._database.reading() as connection:
            return await recent_runs(connection, rule, limit)

    async def show(self, run_id: str) -> tuple[RunRecord, tuple[ActionRecord, ...]]:
        """Return a run, by its id or the beginning of it, and its actions by destination.

        Raises RunNotFound, also when several begin like that.
        """
        from replicator.store.run_lookup import run_with_actions

        async with self._database.reading() as connection:
            return await run_with_actions(connection, run_id)

    async def _start_all(self, starts: Sequence[_Start]) -> list[RunRecord | RunActive]:
        """Begin a run for each of *starts* whose rule has none."""
        rows = [self._row(start) for start in starts]
        async with self._database.noting() as connection:
            await end_abandoned(connection, max(start.now for start in starts), me=self._owner)
            made = await connection.execute(ADD_RUN, rows)
            numbers = {row.id: row.number for row in made}
            return [
                self._record(start, row["id"], numbers[row["id"]])
                if row["id"] in numbers
                else await _refusal(connection, start.rule)
                for start, row in zip(starts, rows, strict=True)
            ]

    async def _as_it_is(self, rule: Rule, refusal: RunActive) -> RunActive:
        """Return a refusal that says so if the service is gone whose run is in the way."""
        active = await self._database.ask(ACTIVE_RUN, {"of_rule": rule.name})
        if not active or active[0].queued_at is None or active[0].state == RunState.QUEUED:
            return refusal
        # Most runs are no service's; what those do without is not loaded.
        from replicator.store.lost_runs import as_they_are

        async with self._database.reading() as connection:
            (now,) = await as_they_are(connection, [run_from_row(active[0])])
        return RunActive(left_waiting(active[0])) if now.state is RunState.QUEUED else refusal

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
        async with self._database.noting() as connection:
            mine = await connection.execute(MINE_AMONG, {"runs": ids, "me": self._owner})
            found = frozenset(row.id for row in mine)
            rows = [{"of_id": key, **columns} for key, columns in endings if key in found]
            if rows:
                await connection.execute(FINISH_RUN, rows)
        return [key in found for key in ids]

    async def _number_of_mine(self, connection: Connection, run_id: str) -> int:
        """Find an unfinished run of this process, and keep others from ending it meanwhile."""
        mine = await connection.execute(NUMBER_OF_MINE, {"run": run_id, "me": self._owner})
        if not mine:
            raise _lost(run_id)
        number: int = mine[0].number
        return number


async def _refusal(connection: Connection, rule: Rule) -> RunActive:
    """Say why *rule* cannot be started now."""
    active = await active_run(connection, rule.name)
    if active is None:
        return RunActive(f"rule {rule.name!r} was just started by another process")
    return RunActive(under_way(active))


def _lost(run_id: str) -> LeaseLost:
    return LeaseLost(f"run {run_id} was ended by another process, or is finished")
