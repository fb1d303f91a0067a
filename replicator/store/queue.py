"""Queue: runs that wait for a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import ReplicatorError, RunActive, RunFinished
from replicator.planning.prepared import prepare
from replicator.planning.rule import Rule
from replicator.store import carrier, notices
from replicator.store.abandoned import active_run, end_abandoned, under_way
from replicator.store.audit import Change, append
from replicator.store.database import Database
from replicator.store.item_records import Piece
from replicator.store.item_rows import SCHEDULE, NewRun, add_first_items, add_items
from replicator.store.lost_runs import end_items_of
from replicator.store.prepared.alchemy import AlchemyTransaction
from replicator.store.reaper import take_from_lost
from replicator.store.records import RunRecord, RunState
from replicator.store.remaining import open_closing, over
from replicator.store.run_lookup import find_run, insert_run, insert_runs
from replicator.store.run_rows import new_run_row, run_from_row
from replicator.store.services import someone_serves
from replicator.store.tables import run
from replicator.store.work_tables import ItemKind, ItemState, item

__all__ = ["SCHEDULE", "Queue", "add_run", "add_scheduled_runs"]

# Repositories that a rule names are items at once, up to so many; others have to be found first.
_MOST_AT_ONCE: Final = 100
# What a run begins with whose repositories have to be found.
_LISTING: Final = (ItemKind.LISTING, (Piece(()),))


class Queue:
    """Keeps runs that wait; their items are what workers take up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def clock(self) -> Callable[[], datetime]:
        """Tells the time by which others judge what is written here."""
        return self._database.clock

    async def add(
        self,
        rule: Rule,
        trigger: str,
        now: datetime,
        *,
        only: Sequence[str] | None = None,
        repeats: str | None = None,
    ) -> RunRecord:
        """Let a run of *rule* wait for a service. Raises RunActive.

        *only* are the source tags that it is limited to. When it *repeats* another run, no tag
        waits because it failed before.
        """
        retry = repeats is not None
        async with self._database.writing() as connection:
            asking = AlchemyTransaction(connection)
            await end_abandoned(asking, now)
            active = await active_run(asking, rule.name)
            if active is not None:
                served = await someone_serves(connection, now)
                raise RunActive(under_way(active, is_served=served))
            made = await add_run(connection, rule, trigger, now, only=only, retry=retry)
            await append(asking, [_begun(made, repeats, failed=only is not None)])
            return made

    async def cancel(self, run_id: str, now: datetime) -> RunRecord:
        """End a run that waits, and ask for the end of one under way.

        *run_id* is the id or the beginning of it. Raises RunNotFound, RunFinished.
        """
        async with self._database.writing() as connection:
            await end_abandoned(AlchemyTransaction(connection), now)
            found = await find_run(connection, run_id)
            if found.finished_at is not None:
                raise RunFinished(f"run {found.id} is finished: {found.state}")
            asked: dict[str, Any] = {"cancel_at": now}
            if found.queued_at is not None:
                await take_from_lost(connection, now)
                if await _drop_waiting(connection, found.number, now):
                    counts = await end_items_of(connection, found.number)
                    ended = {"state": RunState.CANCELLED.value, "finished_at": now}
                    asked |= {**ended, "counts": counts}
            changed = await connection.execute(
                update(run).where(run.c.number == found.number).values(asked).returning(run)
            )
            asking = AlchemyTransaction(connection)
            await notices.tell(asking, notices.CANCELLED)
            was = {"rule": found.rule, "state": found.state}
            await append(asking, [Change("cancel", "run", found.id, old=was)])
            return run_from_row(changed.one())


async def add_run(
    connection: AsyncConnection,
    rule: Rule,
    trigger: str,
    now: datetime,
    *,
    only: Sequence[str] | None = None,
    retry: bool = False,
) -> RunRecord:
    """Let a run wait for a service, in a transaction that is open. Raises RunActive."""
    waiting = _waiting(now) | {"retry": retry}
    if only is not None:
        waiting["only"] = list(only)
    made = await insert_run(connection, rule, trigger, now, waiting)
    kind, pieces = _first_items(rule) if only is None else _LISTING
    await add_items(connection, made.number, pieces, now, kind=kind)
    return made


async def add_scheduled_runs(
    connection: AsyncConnection, rules: Sequence[Rule], now: datetime
) -> Mapping[str, str]:
    """Let a run of each rule wait for a service, unless the rule has an unfinished one.

    Returns the ids of those runs by their rules.
    """
    if not rules:
        return {}
    waiting = _waiting(now) | {"retry": False}
    rows = {rule.name: new_run_row(rule, SCHEDULE, now, waiting) for rule in rules}
    numbers = await insert_runs(connection, list(rows.values()))
    made = {name: row["id"] for name, row in rows.items() if row["id"] in numbers}
    new = [
        NewRun(numbers[made[rule.name]], rule.name, *_first_items(rule))
        for rule in rules
        if rule.name in made
    ]
    await add_first_items(connection, new, now, scheduled=True)
    return made


def _begun(made: RunRecord, repeats: str | None, *, failed: bool) -> Change:
    """Return what the audit says of a run that somebody asked for."""
    rule = made.rule.name
    if repeats is None:
        return Change("start", "run", made.id, new={"rule": rule})
    return Change("retry", "run", repeats, new={"rule": rule, "run": made.id, "failed": failed})


def _waiting(now: datetime) -> dict[str, Any]:
    """Return the columns of a run that waits for a service."""
    return {
        "state": RunState.QUEUED.value,
        "owner": "",
        "leased_until": now,
        "started_at": now,
        "queued_at": now,
    }


def _first_items(rule: Rule) -> tuple[ItemKind, Sequence[Piece]]:
    """Return with which items a run of a rule begins."""
    pieces = _named_pieces(rule)
    return (ItemKind.COPYING, pieces) if pieces else _LISTING


def _named_pieces(rule: Rule) -> Sequence[Piece]:
    """Return a piece for each repository, where the rule names them; else none.

    A rule that is of no use has none either: the worker that lists its repositories will say so.
    """
    try:
        prepared = prepare(rule)
        names = prepared.source.repositories
        if names is None or len(names) > _MOST_AT_ONCE or not prepared.keeps_apart(names):
            return ()
    except ReplicatorError:
        return ()
    return [Piece((name,)) for name in names]


async def _drop_waiting(connection: AsyncConnection, run_number: int, now: datetime) -> bool:
    """Forget the items of a run that nobody has; say whether nothing is left of it.

    What was done is summed up by its closing, for which a service is needed.
    """
    await carrier.withdraw_run(connection, run_number)
    idle = (ItemState.WAITING.value, ItemState.DEFERRED.value)
    await connection.execute(delete(item).where(item.c.run == run_number, item.c.state.in_(idle)))
    if not await over(connection, {run_number}):
        return False
    if await connection.scalar(select(item.c.n).where(item.c.run == run_number).limit(1)) is None:
        return True
    if not await someone_serves(connection, now):
        return True
    await open_closing(connection, run_number, now)
    return False
