"""Notifications: how rules stand, what each channel knows of them, and what is still to be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import delete, func, select, tuple_, update

from replicator.store.database import Database
from replicator.store.operating_tables import notification
from replicator.store.records import LatestRun, RunState
from replicator.store.tables import rule, run
from replicator.store.upsert import upsert

# Channel, rule, topic.
Key: TypeAlias = tuple[str, str, str]
_KEY: Final = (notification.c.channel, notification.c.rule, notification.c.topic)

# Somebody who is delivering may take so long; then another may try.
_CLAIM: Final = timedelta(minutes=2)
_FIRST_DELAY: Final = timedelta(seconds=30)
_MOST_DOUBLINGS: Final = 7
# After so many tries, which is after about five hours, a message is given up.
MOST_ATTEMPTS: Final = 12


class Notifications:
    """Keeps what was told. *pending* is JSON of whoever writes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest_runs(self) -> tuple[LatestRun, ...]:
        """Return the newest finished run of each enabled rule; those limited to some tags say
        nothing of the rule."""
        async with self._database.reading() as connection:
            rows = await connection.execute(_LATEST)
            return tuple(
                LatestRun(
                    row.name,
                    row.number,
                    row.id,
                    RunState(row.state),
                    row.finished_at,
                    row.error,
                    row.counts,
                    row.in_step_at,
                    msgspec.convert(row.objective, timedelta | None),
                )
                for row in rows
            )

    async def change(
        self, channels: Iterable[str], decide: Callable[[Mapping[Key, Any]], Mapping[Key, Any]]
    ) -> None:
        """Let *decide* say what is known from now on, from the rows of *channels* that are there.

        It is given columns by name, and returns rows that are new or changed.
        """
        async with self._database.writing() as connection:
            # One service at a time: what two decide from the same rows would be told twice.
            mine = select(notification).where(notification.c.channel.in_(list(channels)))
            found = (await connection.execute(mine.with_for_update())).mappings()
            known = {(row["channel"], row["rule"], row["topic"]): dict(row) for row in found}
            changed = decide(known)
            rows = [_row(key, values) for key, values in changed.items()]
            if rows:
                await connection.execute(upsert(connection, notification), rows)

    async def claim(self, channel: str, most: int, now: datetime) -> Mapping[Key, Any]:
        """Take up what is due to be told over a channel; others leave it alone for a while."""
        due = (
            select(notification)
            .where(notification.c.channel == channel, notification.c.is_pending)
            .where(notification.c.next_try_at <= now)
            .order_by(*_KEY)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        async with self._database.writing() as connection:
            rows = (await connection.execute(due)).mappings().all()
            claimed = {(row["channel"], row["rule"], row["topic"]): dict(row) for row in rows}
            if claimed:
                mine = update(notification).where(tuple_(*_KEY).in_(list(claimed)))
                await connection.execute(mine.values(next_try_at=now + _CLAIM))
        return claimed

    async def arrived(self, claimed: Mapping[Key, Any], now: datetime) -> None:
        """Note that what was *claimed* has arrived; what came since then is still to be told."""
        async with self._database.writing() as connection:
            for key, row in claimed.items():
                this = update(notification).where(tuple_(*_KEY).in_([key]))
                told = {"told": row["state"], "told_at": now, "attempts": 0, "error": ""}
                await connection.execute(this.values(told))
                same = this.where(
                    notification.c.state == row["state"], notification.c.run == row["run"]
                )
                await connection.execute(same.values(is_pending=False, pending=None))

    async def put_off(self, claimed: Mapping[Key, Any], error: str, now: datetime) -> None:
        """Note that what was *claimed* did not arrive; after MOST_ATTEMPTS it is given up."""
        async with self._database.writing() as connection:
            for key, row in claimed.items():
                attempts = row["attempts"] + 1
                delay = _FIRST_DELAY * 2 ** min(attempts - 1, _MOST_DOUBLINGS)
                changed = {"attempts": attempts, "next_try_at": now + delay, "error": error}
                if attempts >= MOST_ATTEMPTS:
                    changed |= {"is_pending": False, "pending": None, "told": row["state"]}
                this = update(notification).where(tuple_(*_KEY).in_([key]))
                await connection.execute(this.values(changed))

    async def forget_others(self, channels: Sequence[str]) -> None:
        """Forget channels that are no longer there, and rules that are gone."""
        async with self._database.writing() as connection:
            gone = notification.c.rule.not_in(select(rule.c.name))
            await connection.execute(
                delete(notification).where(gone | notification.c.channel.not_in(channels))
            )


def _row(key: Key, values: Mapping[str, Any]) -> dict[str, Any]:
    channel, its_rule, topic = key
    return {"channel": channel, "rule": its_rule, "topic": topic, **values}


_whole = (run.c.finished_at.is_not(None), run.c.only.is_(None))
_newest = select(func.max(run.c.number)).where(*_whole).group_by(run.c.rule)
_good = (
    select(run.c.rule, func.max(run.c.number).label("number"))
    .where(*_whole, run.c.state.in_([RunState.SUCCEEDED.value, RunState.EMPTY.value]))
    .group_by(run.c.rule)
    .subquery("good")
)
_good_run = run.alias("good_run")
_LATEST: Final = (
    select(
        rule.c.name,
        rule.c.definition["objective"].as_string().label("objective"),
        run.c.number,
        run.c.id,
        run.c.state,
        run.c.finished_at,
        run.c.error,
        run.c.counts,
        _good_run.c.started_at.label("in_step_at"),
    )
    .join_from(rule, run, run.c.rule == rule.c.name)
    .join(_good, _good.c.rule == rule.c.name, isouter=True)
    .join(_good_run, _good_run.c.number == _good.c.number, isouter=True)
    .where(rule.c.enabled, run.c.number.in_(_newest))
)
