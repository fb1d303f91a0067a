"""Items: the pieces of served runs, each one worker's at a time, and what their owners write."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Update,
    bindparam,
    case,
    delete,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import LeaseLost
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.plan import Decision
from replicator.store import carrier
from replicator.store.abandoned import LEASE
from replicator.store.actions import action_to_row
from replicator.store.database import Database
from replicator.store.item_endings import Ended, end_items, final_totals, hold_items
from replicator.store.item_records import Claim, Piece, claim_from_row, tags_to_json
from replicator.store.item_rows import CLOSING_NUMBER, add_items
from replicator.store.ledger import Ledger
from replicator.store.moments import moment
from replicator.store.owner import Owner
from replicator.store.prepared.alchemy import AlchemyTransaction
from replicator.store.records import ActionRecord, Outcome, RunRecord, RunState, TagKey, Totals
from replicator.store.remaining import let_wait, lock_run, open_closing, over
from replicator.store.run_rows import run_from_row
from replicator.store.so_far import add_moved
from replicator.store.tables import action, run
from replicator.store.text import storable
from replicator.store.upsert import upsert
from replicator.store.work_tables import ItemKind, ItemState, is_last_try, item
from replicator.transfer.gathering import Gathering
from replicator.transfer.order import Tally


class Items:
    """Hands out items, and takes what their owners have to say.

    An item is its owner's as long as the lease goes, which is renewed; times are the database's
    where it has a clock of its own. Whatever an owner writes is refused with LeaseLost once the
    item was taken from it.
    """

    def __init__(self, database: Database, owner: Owner, *, lease: timedelta = LEASE) -> None:
        self._database = database
        self._owner = str(owner)
        self._lease = lease
        self._endings = Gathering(self._finish)

    async def claim(
        self, now: datetime, *, limit: int = 1, last_try: bool = True
    ) -> Sequence[Claim]:
        """Take up the items whose turn it is; none if none waits.

        At most one more may be a *last_try*, whose loss would be its last. Whoever keeps to one of
        those at a time lets no item be given up for what another one did to their process.
        """
        async with self._database.writing() as connection:
            until = moment(connection, now, self._lease)
            found = await connection.execute(
                _TAKE.values(leased_until=until),
                {"most": limit, "last_tries": int(last_try), "by": self._owner},
            )
            rows = found.all()
            await carrier.withdraw(connection, [(row.run, row.n) for row in rows])
            queued = {row.run for row in rows if row.is_queued}
            begun = await self._begin(connection, queued, now) if queued else frozenset[int]()
        firsts = {row.run: row.n for row in reversed(rows)}
        return [
            claim_from_row(row, row.run_id, row.run in begun and row.n == firsts[row.run])
            for row in rows
        ]

    async def _begin(
        self, connection: AsyncConnection, numbers: Collection[int], now: datetime
    ) -> frozenset[int]:
        """Say of runs that they are under way, and return which were not."""
        marked = await connection.scalars(
            update(run)
            .where(run.c.number.in_(numbers), run.c.state == RunState.QUEUED.value)
            .values(
                state=RunState.RUNNING.value,
                owner=self._owner,
                attempt=run.c.attempt + 1,
                started_at=case((run.c.attempt == 0, now), else_=run.c.started_at),
            )
            .returning(run.c.number)
        )
        return frozenset(marked)

    async def run_of(self, claim: Claim) -> RunRecord:
        """Return the run of an item. Raises LeaseLost when it is no more."""
        async with self._database.reading() as connection:
            found = await connection.execute(select(run).where(run.c.number == claim.run))
            row = found.one_or_none()
        if row is None:
            raise _lost(claim)
        return run_from_row(row)

    async def add(self, claim: Claim, pieces: Sequence[Piece], now: datetime) -> None:
        """Add items to the run of an item that is still this process's. Raises LeaseLost."""
        async with self._database.writing() as connection:
            await self._hold(connection, claim)
            await lock_run(connection, claim.run)
            await add_items(connection, claim.run, pieces, now)

    async def split(
        self,
        claim: Claim,
        kept: Mapping[Tag, Digest | None],
        others: Sequence[Piece],
        summary: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Leave some tags of a repository to *others*, so that this item is about those *kept*.

        All or nothing, so that a worker that comes after this one does not split it once more.
        *summary* is what the whole repository came to. Raises LeaseLost.
        """
        async with self._database.writing() as connection:
            await self._hold(connection, claim)
            await lock_run(connection, claim.run)
            await connection.execute(
                _mine(claim, self._owner).values(tags=tags_to_json(kept), summary=dict(summary))
            )
            await add_items(connection, claim.run, others, now)

    async def known_repositories(self, claim: Claim) -> frozenset[str]:
        """Return the repositories that a run's items are about already."""
        query = select(item.c.repositories).where(
            item.c.run == claim.run, item.c.kind == ItemKind.COPYING.value
        )
        async with self._database.reading() as connection:
            found = await connection.scalars(query)
            return frozenset(name for names in found for name in names)

    def fenced(self, ledger: Ledger, claim: Claim) -> Ledger:
        """Return a ledger that takes rows only while an item is this process's."""
        return ledger.fenced(lambda connection: self._hold(connection, claim))

    async def save(self, claim: Claim, actions: Sequence[ActionRecord]) -> None:
        """Add actions to the run of an item, or replace those for the same tags.

        Raises LeaseLost.
        """
        async with self._database.writing() as connection:
            await self._hold(connection, claim)
            rows = [action_to_row(claim.run, each) for each in actions]
            await connection.execute(upsert(connection, action), rows)

    async def summary(self, claim: Claim) -> Mapping[str, Any] | None:
        """Return what earlier attempts at an item came to, if they left anything."""
        query = select(item.c.summary).where(item.c.run == claim.run, item.c.n == claim.n)
        async with self._database.reading() as connection:
            found: Mapping[str, Any] | None = await connection.scalar(query)
        return found

    async def copied(self, claim: Claim) -> frozenset[TagKey]:
        """Return the destination tags that earlier attempts at an item copied."""
        query = select(action.c.registry, action.c.repository, action.c.tag, action.c.source).where(
            action.c.run == claim.run,
            action.c.decision == Decision.COPY.value,
            action.c.outcome == Outcome.WRITTEN.value,
        )
        sources = set(map(str, claim.piece.repositories))
        if len(sources) == 1:
            query = query.where(action.c.source.startswith(f"{min(sources)}:", autoescape=True))
        async with self._database.reading() as connection:
            return frozenset(
                (RepositoryName(row.registry, row.repository), Tag(row.tag))
                for row in await connection.execute(query)
                if row.source.rpartition(":")[0] in sources
            )

    async def finish(self, claim: Claim, summary: Mapping[str, Any], now: datetime) -> Claim | None:
        """Be done with an item. Raises LeaseLost.

        The last one of a run is followed by its closing, which is this process's then; it is
        returned.
        """
        was_last = await self._endings.ask(Ended(claim, summary, now))
        if was_last is None:
            raise _lost(claim)
        # What is missed by a worker that dies just here is found by the reaper.
        if not was_last:
            return None
        async with self._database.writing() as connection:
            return await self._open_closing(connection, claim.run, now)

    async def _finish(self, ended: Sequence[Ended]) -> Sequence[bool | None]:
        """Be done with items, and say which was the last of its run; None if it is another's."""
        async with self._database.writing() as connection:
            mine = await end_items(connection, self._owner, ended)
        # Of two that finish at once, the one that commits last sees both.
        last = {each.claim.run: each.claim.key for each in ended if each.claim.key in mine}
        async with self._database.reading() as connection:
            done = await over(connection, last) if last else frozenset[int]()
        keys = {key for number, key in last.items() if number in done}
        return [each.claim.key in keys if each.claim.key in mine else None for each in ended]

    async def defer(
        self, claim: Claim, until: datetime, summary: Mapping[str, Any] | None = None
    ) -> None:
        """Put an item off until it is due, for whoever takes it up then. Raises LeaseLost."""
        async with self._database.writing() as connection:
            await self._change(
                connection,
                claim,
                state=ItemState.DEFERRED.value,
                owner="",
                leased_until=None,
                due_at=until,
                **_left(summary),
            )

    async def release(
        self, claim: Claim, now: datetime, summary: Mapping[str, Any] | None = None
    ) -> None:
        """Give an item back unfinished, for another worker to take up at once.

        *summary* is what the next attempt should know of this one. Raises LeaseLost.
        """
        async with self._database.writing() as connection:
            await self._change(
                connection,
                claim,
                state=ItemState.WAITING.value,
                owner="",
                leased_until=None,
                sent_at=now,
                **_left(summary),
            )
            await carrier.send(connection, [(claim.run, claim.n)])
            await let_wait(connection, claim.run)

    async def summaries(self, claim: Claim) -> Sequence[Mapping[str, Any]]:
        """Return what the items of a run came to."""
        query = select(item.c.summary).where(
            item.c.run == claim.run, item.c.summary.is_not(None), item.c.n != CLOSING_NUMBER
        )
        async with self._database.reading() as connection:
            return list(await connection.scalars(query.order_by(item.c.n)))

    async def is_cancelled(self, claim: Claim) -> bool:
        """Say whether somebody wants the run of an item to end."""
        query = select(run.c.cancel_at).where(run.c.number == claim.run)
        async with self._database.reading() as connection:
            return await connection.scalar(query) is not None

    async def close(
        self, claim: Claim, state: RunState, totals: Totals, now: datetime, *, error: str
    ) -> None:
        """End a run together with its closing; its items are forgotten. Raises LeaseLost."""
        async with self._database.writing() as connection:
            await self._hold(connection, claim)
            await connection.execute(
                update(run)
                .where(run.c.number == claim.run, run.c.finished_at.is_(None))
                .values(
                    state=state.value,
                    finished_at=now,
                    error=storable(error),
                    **final_totals(totals),
                )
            )
            await connection.execute(delete(item).where(item.c.run == claim.run))

    async def renew(self, now: datetime, keys: Collection[str], moved: Mapping[str, Tally]) -> None:
        """Give a sign of life for those of *keys* that are this process's, and add what *moved*
        in runs since the last one; due several times in the lease."""
        async with self._database.writing() as connection:
            held = await hold_items(connection, self._owner, keys)
            lease = moment(connection, now, self._lease)
            mine = update(item).where(tuple_(item.c.run, item.c.n).in_(map(_place, held)))
            await connection.execute(mine.values(leased_until=lease))
            await add_moved(AlchemyTransaction(connection), moved)

    async def taken(self, keys: Collection[str]) -> frozenset[str]:
        """Return which of this process's items, by their keys, are not any more."""
        return frozenset(keys) - await self._mine_now()

    async def to_cancel(self) -> frozenset[str]:
        """Return the keys of this process's items whose runs somebody wants to end."""
        # The closing of a cancelled run says so; it is not ended itself.
        return await self._mine_now(run.c.cancel_at.is_not(None), item.c.n != CLOSING_NUMBER)

    async def _mine_now(self, *conditions: Any) -> frozenset[str]:
        query = (
            select(item.c.run, item.c.n, item.c.attempt)
            .join(run, run.c.number == item.c.run)
            .where(item.c.state == ItemState.RUNNING.value, item.c.owner == self._owner)
            .where(*conditions)
        )
        async with self._database.reading() as connection:
            return frozenset(
                f"{row.run}/{row.n}/{row.attempt}" for row in await connection.execute(query)
            )

    async def _open_closing(
        self, connection: AsyncConnection, run_number: int, now: datetime
    ) -> Claim | None:
        """Make the closing of a run, unless somebody else did, and take it up."""
        await open_closing(connection, run_number, now)
        found = await connection.execute(
            update(item)
            .where(
                item.c.run == run_number,
                item.c.n == CLOSING_NUMBER,
                item.c.state == ItemState.WAITING.value,
            )
            .values(
                state=ItemState.RUNNING.value,
                owner=self._owner,
                attempt=item.c.attempt + 1,
                leased_until=moment(connection, now, self._lease),
            )
            .returning(item)
        )
        row = found.one_or_none()
        if row is None:
            return None
        await carrier.withdraw(connection, [(run_number, CLOSING_NUMBER)])
        return claim_from_row(row)

    async def _change(self, connection: AsyncConnection, claim: Claim, **values: Any) -> None:
        """Change an item of this process. Raises LeaseLost."""
        changed = await connection.execute(_mine(claim, self._owner).values(values))
        if not changed.rowcount:
            raise _lost(claim)

    async def _hold(self, connection: AsyncConnection, claim: Claim) -> None:
        """Keep an item of this process from being taken in a transaction. Raises LeaseLost."""
        if not await hold_items(connection, self._owner, [claim.key]):
            raise _lost(claim)


def _place(key: str) -> tuple[int, int]:
    """Return the run of an item, and its number in it."""
    run_number, n, _ = map(int, key.split("/"))
    return run_number, n


def _left(summary: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what an attempt leaves to the next; without a *summary* that is what it found."""
    return {} if summary is None else {"summary": dict(summary)}


def _mine(claim: Claim, owner: str) -> Update:
    return update(item).where(*_is_mine(claim, owner))


def _is_mine(claim: Claim, owner: str) -> tuple[Any, ...]:
    columns = item.c
    return (
        columns.run == claim.run,
        columns.n == claim.n,
        columns.attempt == claim.attempt,
        columns.owner == owner,
        columns.state == ItemState.RUNNING.value,
    )


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"item {claim.n} of run {claim.run} was taken over, or is done with")


def _first(most: str, *conditions: ColumnElement[bool]) -> Select[int, int]:
    """Select the items whose turn it is, as many as the parameter *most* says."""
    return (
        select(item.c.run, item.c.n)
        .where(item.c.state == ItemState.WAITING.value, *conditions)
        .order_by(item.c.priority, item.c.turn, item.c.run, item.c.n)
        # A number in the text, for PostgreSQL's planner: of one it does not know it expects
        # thousands, and reads the whole table.
        .limit(bindparam(most, type_=Integer, literal_execute=True))
        # Of two workers that ask at once, each gets others.
        .with_for_update(skip_locked=True)
    )


# Made once, as every item begins with it. Also returns the ids of the runs, and whether they are
# to begin.
_turn: Final = union_all(
    select(_first("most", ~is_last_try).cte("following")),
    select(_first("last_tries", is_last_try).cte("last_tries")),
).subquery("turn")
_TAKE: Final = (
    update(item)
    .where(item.c.run == _turn.c.run, item.c.n == _turn.c.n)
    .values(state=ItemState.RUNNING.value, owner=bindparam("by"), attempt=item.c.attempt + 1)
    .returning(
        item,
        select(run.c.id).where(run.c.number == item.c.run).scalar_subquery().label("run_id"),
        select(run.c.state == RunState.QUEUED.value)
        .where(run.c.number == item.c.run)
        .scalar_subquery()
        .label("is_queued"),
    )
)
