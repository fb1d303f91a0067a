"""Fires: one transaction decides what becomes of the due times of rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import StoreError
from replicator.planning.due_times import Due, DueTimes, shift
from replicator.planning.rule import Rule
from replicator.planning.windows import end_of_window
from replicator.store.clocks import set_clocks, start_clocks, stop_clocks
from replicator.store.database import Database
from replicator.store.moments import database_time
from replicator.store.operating_tables import audit
from replicator.store.queue import add_scheduled_runs
from replicator.store.records import Fire, FireOutcome
from replicator.store.rules import rule_from_row
from replicator.store.tables import rule as rules
from replicator.store.tables import rule_clock, rule_fire
from replicator.values import dataclass

# What of a rule says when it comes due.
_DECIDES: Final = ("schedule", "timezone", "jitter", "maintenance")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a rule's due times up to now, and when to look again; never, if None.

    With *trouble* nothing was decided.
    """

    fire: Fire | None
    wake_at: datetime | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Judgement:
    due: Due | None
    wake_at: datetime | None


class Fires:
    """Decides due times, each once, however many ask and however late.

    What is due is a question to the database's clock, which is the same for all who ask; a test
    may choose another *time*.
    """

    def __init__(
        self,
        database: Database,
        *,
        time: Callable[[AsyncConnection], Awaitable[datetime]] = database_time,
    ) -> None:
        self._database = database
        self._time = time

    async def decide(self, names: Collection[str]) -> Mapping[str, Verdict]:
        """Settle all due times of some rules up to now, in one transaction.

        The latest of a rule becomes a run, unless the rule has an unfinished one; earlier ones
        are settled with it. A schedule that is new, or was changed, counts from now on. In a
        window of maintenance nothing is settled before its end.
        """
        async with self._database.writing() as connection:
            found, troubles = await _lock_rules(connection, names)
            now = await self._time(connection)
            await stop_clocks(connection, set(names) - found.keys() - troubles.keys())
            clocks = await start_clocks(connection, found.values(), now)
            judged = {name: _judge(rule, clocks[name], now) for name, rule in found.items()}
            due = {name: each.due for name, each in judged.items() if each.due is not None}
            fires = await _settle(connection, found, due, now)
        off = Verdict(None, None)
        verdicts = {name: Verdict(fires.get(name), each.wake_at) for name, each in judged.items()}
        return dict.fromkeys(names, off) | troubles | verdicts

    async def last_change(self) -> int:
        """Return the number of the last change of any rule, which is another after each."""
        changes = select(audit.c.id).where(audit.c.kind == "rule")
        async with self._database.reading() as connection:
            found = await connection.scalar(changes.order_by(audit.c.id.desc()).limit(1))
        return found or 0

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
            await stop_clocks(connection, [name for name in known if name not in names])

    async def recent(self, name: str, limit: int = 50) -> tuple[Fire, ...]:
        """Return what became of the latest due times of a rule, newest first."""
        query = select(rule_fire).where(rule_fire.c.rule == name)
        query = query.order_by(rule_fire.c.fire_at.desc()).limit(limit)
        async with self._database.reading() as connection:
            return tuple(map(_from_row, await connection.execute(query)))


async def _lock_rules(
    connection: AsyncConnection, names: Collection[str]
) -> tuple[dict[str, Rule], dict[str, Verdict]]:
    """Read those of some rules that come due by themselves; what cannot be read is trouble.

    Nobody else can decide about them, or change them, until the end of the transaction. All who
    lock several do so by name, so that no two wait for each other.
    """
    query = select(rules).where(rules.c.name.in_(list(names))).order_by(rules.c.name)
    found: dict[str, Rule] = {}
    troubles: dict[str, Verdict] = {}
    for row in await connection.execute(query.with_for_update()):
        try:
            rule = rule_from_row(row)
        except StoreError as error:
            troubles[row.name] = Verdict(None, None, str(error))
            continue
        if rule.enabled and rule.schedule:
            found[rule.name] = rule
    return found, troubles


def _judge(rule: Rule, clock: Mapping[str, Any], now: datetime) -> _Judgement:
    """Say what of a rule is due, and when to look again."""
    late = shift(rule.name, rule.jitter)
    window_end = end_of_window(rule.maintenance, rule.timezone, now)
    if window_end is not None:
        # What comes due until then is settled with one run after it.
        return _Judgement(None, window_end + late)
    times = DueTimes(rule.schedule, rule.timezone, clock["since"])
    due = times.latest(clock["settled_until"], now - late)
    following = times.next(clock["settled_until"] if due is None else due.at)
    return _Judgement(due, None if following is None else following + late)


async def _settle(
    connection: AsyncConnection, rules: Mapping[str, Rule], due: Mapping[str, Due], now: datetime
) -> Mapping[str, Fire]:
    """Write down what becomes of due times, and of those that were missed before them."""
    made = await add_scheduled_runs(connection, [rules[name] for name in due], now)
    fires = {name: _fire(name, at, made.get(name), now) for name, at in due.items()}
    if fires:
        await connection.execute(insert(rule_fire), list(map(_to_row, fires.values())))
        await set_clocks(connection, {name: fire.at for name, fire in fires.items()})
    return fires


def _fire(rule: str, due: Due, run: str | None, now: datetime) -> Fire:
    outcome = FireOutcome.SKIPPED_OVERLAP if run is None else FireOutcome.RUN
    return Fire(rule, due.at, outcome, run, due.missed, now)


def _to_row(fire: Fire) -> dict[str, Any]:
    return {
        "rule": fire.rule,
        "fire_at": fire.at,
        "outcome": fire.outcome.value,
        "run": fire.run,
        "coalesced": fire.coalesced,
        "decided_at": fire.decided_at,
    }


def _from_row(row: Any) -> Fire:
    return Fire(
        row.rule, row.fire_at, FireOutcome(row.outcome), row.run, row.coalesced, row.decided_at
    )
