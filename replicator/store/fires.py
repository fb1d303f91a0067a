"""Fires: one transaction decides what becomes of a rule's due times."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.planning.due_times import Due, DueTimes, shift
from replicator.planning.rule import Rule
from replicator.planning.windows import end_of_window
from replicator.store.database import Database
from replicator.store.queue import SCHEDULE, add_run
from replicator.store.records import Fire, FireOutcome, RunRecord
from replicator.store.rules import rule_from_row
from replicator.store.tables import rule as rules
from replicator.store.tables import rule_clock, rule_fire, run
from replicator.store.upsert import upsert
from replicator.values import dataclass

# What of a rule says when it comes due.
_DECIDES: Final = ("schedule", "timezone", "jitter", "maintenance")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a rule's due times up to now, and when to look again; never, if None."""

    fire: Fire | None
    wake_at: datetime | None


class Fires:
    """Decides due times, each once, however many ask and however late."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def decide(self, name: str, now: datetime) -> Verdict:
        """Settle all due times of a rule up to *now*: the latest becomes a run, unless the rule
        has an unfinished one; earlier ones are settled with it.

        A schedule that is new, or was changed, counts from now on. In a window of maintenance
        nothing is settled before its end.
        """
        async with self._database.writing() as connection:
            rule = await _lock_rule(connection, name)
            if rule is None or not rule.enabled or not rule.schedule:
                await connection.execute(delete(rule_clock).where(rule_clock.c.rule == name))
                return Verdict(None, None)
            clock = await _clock(connection, rule, now)
            times = DueTimes(rule.schedule, rule.timezone, clock["since"])
            late = shift(name, rule.jitter)
            window_end = end_of_window(rule.maintenance, rule.timezone, now)
            if window_end is not None:
                # What comes due until then is settled with one run after it.
                return Verdict(None, window_end + late)
            due = times.latest(clock["settled_until"], now - late)
            fire = None if due is None else await _settle(connection, rule, due, now)
            settled_until = clock["settled_until"] if due is None else due.at
            following = times.next(settled_until)
            return Verdict(fire, None if following is None else following + late)

    async def scheduled(self) -> Mapping[str, tuple[str, ...]]:
        """Return the rules that come due by themselves, each with what decides when."""
        definition = rules.c.definition
        query = select(
            rules.c.name,
            *(definition[key].as_string() for key in _DECIDES),
        ).where(rules.c.enabled, definition["schedule"].as_string() != "")
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return {name: tuple(parts) for name, *parts in rows}

    async def forget_others(self, names: Collection[str]) -> None:
        """Forget up to when the due times of rules are settled that are not among *names*.

        When such a rule comes due again, it counts from then on.
        """
        async with self._database.writing() as connection:
            known = await connection.scalars(select(rule_clock.c.rule))
            gone = [{"name": name} for name in known if name not in names]
            if gone:
                await connection.execute(
                    delete(rule_clock).where(rule_clock.c.rule == bindparam("name")), gone
                )

    async def recent(self, name: str, limit: int = 50) -> tuple[Fire, ...]:
        """Return what became of the latest due times of a rule, newest first."""
        query = select(rule_fire).where(rule_fire.c.rule == name)
        query = query.order_by(rule_fire.c.fire_at.desc()).limit(limit)
        async with self._database.reading() as connection:
            return tuple(map(_from_row, await connection.execute(query)))


async def _lock_rule(connection: AsyncConnection, name: str) -> Rule | None:
    """Read a rule that nobody else can decide about, or change, until the end."""
    query = select(rules).where(rules.c.name == name).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else rule_from_row(row)


async def _clock(connection: AsyncConnection, rule: Rule, now: datetime) -> Mapping[str, Any]:
    """Return since when the schedule counts, and up to when its due times are settled."""
    query = select(rule_clock).where(rule_clock.c.rule == rule.name)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is not None and (row["schedule"], row["timezone"]) == (rule.schedule, rule.timezone):
        return dict(row)
    since = now.replace(microsecond=0)
    new = {
        "rule": rule.name,
        "schedule": rule.schedule,
        "timezone": rule.timezone,
        "since": since,
        "settled_until": since,
    }
    await connection.execute(upsert(connection, rule_clock), new)
    return new


async def _settle(connection: AsyncConnection, rule: Rule, due: Due, now: datetime) -> Fire:
    """Write down what becomes of a due time, and of those that were missed before it."""
    made = await _queue(connection, rule, now)
    outcome = FireOutcome.SKIPPED_OVERLAP if made is None else FireOutcome.RUN
    fire = Fire(rule.name, due.at, outcome, made.id if made else None, due.missed, now)
    await connection.execute(
        insert(rule_fire),
        {
            "rule": fire.rule,
            "fire_at": fire.at,
            "outcome": outcome.value,
            "run": fire.run,
            "coalesced": fire.coalesced,
            "decided_at": now,
        },
    )
    mine = update(rule_clock).where(rule_clock.c.rule == rule.name)
    await connection.execute(mine.values(settled_until=due.at))
    return fire


async def _queue(connection: AsyncConnection, rule: Rule, now: datetime) -> RunRecord | None:
    """Let a run wait for a service, unless the rule has an unfinished one."""
    unfinished = select(run.c.id).where(run.c.rule == rule.name, run.c.finished_at.is_(None))
    if await connection.scalar(unfinished) is not None:
        return None
    return await add_run(connection, rule, SCHEDULE, now)


def _from_row(row: Any) -> Fire:
    return Fire(
        row.rule, row.fire_at, FireOutcome(row.outcome), row.run, row.coalesced, row.decided_at
    )
