"""Runs: which rule was carried out when, by whom, and what became of each of its tags."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import LeaseLost, RunActive, RunNotFound
from replicator.planning.rule import Rule
from replicator.store.actions import action_from_row, action_to_row
from replicator.store.database import Database
from replicator.store.documents import rule_from_document, rule_to_document
from replicator.store.owner import Owner
from replicator.store.records import ActionRecord, RunRecord, RunState, Totals
from replicator.store.run_id import new_run_id
from replicator.store.tables import action, run
from replicator.store.text import storable
from replicator.store.upsert import upsert

# How long a run stays its owner's without a sign of life. Only other machines go by it: on the
# same one it can be seen whether the owner's process is there.
LEASE: Final = timedelta(seconds=60)


class Runs:
    """Keeps runs and their actions.

    A run belongs to the process that started it, until it is finished. When that process is
    gone, or is on another machine and has not renewed its lease, the next start of any run ends
    it as failed, "interrupted". Whatever the old owner then still wants to write is refused with
    LeaseLost.
    """

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = str(owner)

    async def start(self, rule: Rule, trigger: str, now: datetime) -> RunRecord:
        """Begin a run of *rule*, for the reason *trigger*. Raises RunActive."""
        async with self._database.writing() as connection:
            active = await _end_abandoned(connection, now)
            if rule.name in active:
                raise RunActive(_under_way(active[rule.name]))
            return await self._insert(connection, rule, trigger, now)

    async def renew(self, now: datetime) -> None:
        """Give a sign of life for all runs of this process; due every third of LEASE."""
        mine = update(run).where(run.c.owner == self._owner, run.c.finished_at.is_(None))
        async with self._database.writing() as connection:
            await connection.execute(mine.values(leased_until=now + LEASE))

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
        async with self._database.writing() as connection:
            number = await self._number_of_mine(connection, run_id)
            await connection.execute(
                update(run)
                .where(run.c.number == number)
                .values(
                    state=state.value,
                    finished_at=now,
                    error=storable(error),
                    **_totals_row(totals),
                )
            )

    async def recent(self, *, rule: str | None = None, limit: int = 50) -> tuple[RunRecord, ...]:
        """Return the newest runs, of one rule if it is given, newest first."""
        query = select(run).order_by(run.c.number.desc()).limit(limit)
        if rule is not None:
            query = query.where(run.c.rule == rule)
        async with self._database.reading() as connection:
            return tuple(map(_from_row, await connection.execute(query)))

    async def show(self, run_id: str) -> tuple[RunRecord, tuple[ActionRecord, ...]]:
        """Return a run, by its id or the beginning of it, and its actions by destination.

        Raises RunNotFound, also when several begin like that.
        """
        async with self._database.reading() as connection:
            record = _from_row(await _find(connection, run_id))
            its_actions = select(action).where(action.c.run == record.number)
            rows = await connection.execute(
                its_actions.order_by(action.c.registry, action.c.repository, action.c.tag)
            )
            return record, tuple(map(action_from_row, rows))

    async def _insert(
        self, connection: AsyncConnection, rule: Rule, trigger: str, now: datetime
    ) -> RunRecord:
        run_id = new_run_id(now)
        row = {
            "id": run_id,
            "rule": rule.name,
            "snapshot": rule_to_document(rule),
            "trigger": trigger,
            "state": RunState.RUNNING.value,
            "owner": self._owner,
            "leased_until": now + LEASE,
            "started_at": now,
            "error": "",
            **_totals_row(Totals()),
        }
        try:
            number = await connection.scalar(insert(run).returning(run.c.number), row)
        except IntegrityError:
            # Another process was quicker by a moment: the unique index has decided.
            raise RunActive(f"rule {rule.name!r} was just started by another process") from None
        return RunRecord(
            run_id, number, rule, trigger, RunState.RUNNING, self._owner, started_at=now
        )

    async def _number_of_mine(self, connection: AsyncConnection, run_id: str) -> int:
        """Find an unfinished run of this process, and keep others from ending it meanwhile."""
        mine = select(run.c.number).where(
            run.c.id == run_id, run.c.owner == self._owner, run.c.finished_at.is_(None)
        )
        number: int | None = await connection.scalar(mine.with_for_update())
        if number is None:
            raise LeaseLost(f"run {run_id} was ended by another process, or is finished")
        return number


def _totals_row(totals: Totals) -> dict[str, Any]:
    return {
        "counts": dict(totals.counts),
        "bytes_moved": totals.bytes_moved,
        "bytes_mounted": totals.bytes_mounted,
        "bytes_skipped": totals.bytes_skipped,
        "requests": {registry: dict(kinds) for registry, kinds in totals.requests.items()},
    }


async def _end_abandoned(connection: AsyncConnection, now: datetime) -> dict[str, Any]:
    """End the runs whose owners are gone, and return those under way, by rule."""
    unfinished = await connection.execute(
        select(run.c.number, run.c.id, run.c.rule, run.c.owner, run.c.leased_until)
        .where(run.c.finished_at.is_(None))
        .with_for_update()
    )
    active = {}
    for row in unfinished.all():
        if not _is_abandoned(row, now):
            active[row.rule] = row
            continue
        owner = Owner.parse(row.owner)
        await connection.execute(
            update(run)
            .where(run.c.number == row.number)
            .values(
                state=RunState.FAILED.value,
                finished_at=now,
                error=f"interrupted: process {owner.pid} on {owner.host} ended before the run did",
            )
        )
    return active


def _is_abandoned(row: Any, now: datetime) -> bool:
    alive = Owner.parse(row.owner).is_alive()
    return now > row.leased_until if alive is None else not alive


def _under_way(row: Any) -> str:
    owner = Owner.parse(row.owner)
    return (
        f"rule {row.rule!r} already has a run under way: {row.id}, "
        f"in process {owner.pid} on {owner.host}"
    )


async def _find(connection: AsyncConnection, run_id: str) -> Any:
    query = select(run).where(run.c.id.startswith(run_id, autoescape=True)).limit(2)
    found = (await connection.execute(query)).all()
    if not found:
        raise RunNotFound(f"there is no run {run_id!r}")
    if len(found) > 1:
        listed = ", ".join(row.id for row in found)
        raise RunNotFound(f"several runs begin with {run_id!r}, such as {listed}")
    return found[0]


def _from_row(row: Any) -> RunRecord:
    return RunRecord(
        id=row.id,
        number=row.number,
        rule=rule_from_document(row.rule, row.snapshot),
        trigger=row.trigger,
        state=RunState(row.state),
        owner=row.owner,
        started_at=row.started_at,
        finished_at=row.finished_at,
        totals=Totals(
            row.counts, row.bytes_moved, row.bytes_mounted, row.bytes_skipped, row.requests
        ),
        error=row.error,
    )
