"""Clocks of rules: since when a schedule counts, and up to when its due times are settled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.planning.rule import Rule
from replicator.store.tables import rule_clock
from replicator.store.upsert import upsert


async def start_clocks(
    connection: AsyncConnection, rules: Collection[Rule], now: datetime
) -> Mapping[str, Mapping[str, Any]]:
    """Return the clocks of rules by their names; that of a new or changed schedule starts now."""
    names = [rule.name for rule in rules]
    rows = await connection.execute(select(rule_clock).where(rule_clock.c.rule.in_(names)))
    clocks: dict[str, Mapping[str, Any]] = {row["rule"]: dict(row) for row in rows.mappings()}
    new = [_new(rule, now) for rule in rules if not _goes(clocks.get(rule.name), rule)]
    if new:
        await connection.execute(upsert(connection, rule_clock), new)
    return clocks | {row["rule"]: row for row in new}


async def set_clocks(connection: AsyncConnection, settled: Mapping[str, datetime]) -> None:
    """Note up to when the due times of rules are settled."""
    if settled:
        mine = update(rule_clock).where(rule_clock.c.rule == bindparam("name"))
        rows = [{"name": name, "until": until} for name, until in settled.items()]
        await connection.execute(mine.values(settled_until=bindparam("until")), rows)


async def stop_clocks(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Forget the clocks of rules: should they come due again, they count from then on."""
    gone = list(names)
    if gone:
        await connection.execute(delete(rule_clock).where(rule_clock.c.rule.in_(gone)))


def _goes(clock: Mapping[str, Any] | None, rule: Rule) -> bool:
    if clock is None:
        return False
    return (clock["schedule"], clock["timezone"]) == (rule.schedule, rule.timezone)


def _new(rule: Rule, now: datetime) -> dict[str, Any]:
    since = now.replace(microsecond=0)
    return {
        "rule": rule.name,
        "schedule": rule.schedule,
        "timezone": rule.timezone,
        "since": since,
        "settled_until": since,
    }
