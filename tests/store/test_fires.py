"""Due times: each is settled once, whoever asks, however late and however often."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from replicator.planning.due_times import shift
from replicator.store.database import Database
from replicator.store.fires import Fires, Verdict
from replicator.store.owner import Owner
from replicator.store.records import FireOutcome, RunState
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from replicator.store.tables import rule as rule_table
from tests.store.values import HOUR, NOON, a_rule
from tests.support.deciding import decide, fires_at
from tests.support.working import Idler

MINUTE = timedelta(minutes=1)
HOURLY = replace(a_rule(), schedule="0 * * * *")


@pytest.fixture
def fires(database: Database) -> Fires:
    return Fires(database)


@pytest.fixture
def rules(database: Database) -> Rules:
    return Rules(database)


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database, Owner.this_process())


@pytest.fixture
def idler(database: Database) -> Idler:
    return Idler(database)


async def finish(idler, now):
    return await idler.end_next(now)


async def test_a_schedule_counts_from_when_it_is_first_seen(database, rules):
    await rules.put(HOURLY)

    verdict = await decide(database, HOURLY.name, NOON + 30 * MINUTE)

    assert (verdict.fire, verdict.wake_at) == (None, NOON + HOUR)


async def test_a_due_time_becomes_a_run_that_waits_for_a_service(database, rules, runs):
    await rules.put(HOURLY)
    await decide(database, HOURLY.name, NOON)

    verdict = await decide(database, HOURLY.name, NOON + HOUR)

    (run,) = await runs.recent()
    assert (run.state, run.trigger, run.rule) == (RunState.QUEUED, "schedule", HOURLY)
    assert verdict.fire is not None
    assert (verdict.fire.at, verdict.fire.run) == (NOON + HOUR, run.id)
    assert verdict.wake_at == NOON + 2 * HOUR


async def test_of_many_who_ask_at_once_one_fires(database, rules, runs):
    await rules.put(HOURLY)
    await decide(database, HOURLY.name, NOON)

    verdicts = await asyncio.gather(
        *(decide(database, HOURLY.name, NOON + HOUR) for _ in range(10))
    )

    assert sum(verdict.fire is not None for verdict in verdicts) == 1
    assert len(await runs.recent()) == 1


async def test_what_was_missed_becomes_one_run_with_its_number(database, fires, rules, runs):
    await rules.put(HOURLY)
    await decide(database, HOURLY.name, NOON)

    verdict = await decide(database, HOURLY.name, NOON + 6 * HOUR + MINUTE)

    assert (verdict.fire.at, verdict.fire.coalesced) == (NOON + 6 * HOUR, 5)
    assert len(await runs.recent()) == 1
    assert await fires.recent(HOURLY.name) == (verdict.fire,)


async def test_a_due_time_during_a_run_is_noted_and_starts_none(database, idler, rules, runs):
    await rules.put(HOURLY)
    await decide(database, HOURLY.name, NOON)
    await decide(database, HOURLY.name, NOON + HOUR)
    await idler.take_up(NOON + HOUR)

    verdict = await decide(database, HOURLY.name, NOON + 2 * HOUR)

    assert (verdict.fire.outcome, verdict.fire.run) == (FireOutcome.SKIPPED_OVERLAP, None)
    assert len(await runs.recent()) == 1


async def test_an_hour_of_minutes_is_settled_minute_by_minute(database, fires, idler, rules, runs):
    every_minute = replace(HOURLY, schedule="* * * * *")
    await rules.put(every_minute)
    now = NOON
    await decide(database, every_minute.name, now)
    while now < NOON + HOUR:
        now += 20 * timedelta(seconds=1)
        if (await decide(database, every_minute.name, now)).fire is not None:
            await finish(idler, now)

    settled = await fires.recent(every_minute.name, limit=100)

    assert [fire.at for fire in settled] == [NOON + n * MINUTE for n in range(60, 0, -1)]
    assert {fire.outcome for fire in settled} == {FireOutcome.RUN}


async def test_a_clock_that_is_put_back_fires_nothing_twice(database, idler, rules, runs):
    await rules.put(HOURLY)
    await decide(database, HOURLY.name, NOON)
    await decide(database, HOURLY.name, NOON + 2 * HOUR)
    await finish(idler, NOON + 2 * HOUR)

    back = await decide(database, HOURLY.name, NOON + HOUR)
    again = await decide(database, HOURLY.name, NOON + 2 * HOUR)

    assert (back.fire, again.fire) == (None, None)
    assert back.wake_at == NOON + 3 * HOUR


async def test_a_changed_schedule_counts_from_the_change_and_another_change_is_none(
    database, rules
):
    await rules.put(replace(HOURLY, schedule="every 1h"))
    await decide(database, HOURLY.name, NOON)
    await rules.put(replace(HOURLY, schedule="every 1h", referrers=False))
    unmoved = await decide(database, HOURLY.name, NOON + 10 * MINUTE)
    await rules.put(replace(HOURLY, schedule="every 30m"))

    moved = await decide(database, HOURLY.name, NOON + 2 * HOUR + MINUTE)

    assert unmoved.wake_at == NOON + HOUR
    assert (moved.fire, moved.wake_at) == (None, NOON + 2 * HOUR + 31 * MINUTE)


@pytest.mark.parametrize("change", [{"enabled": False}, {"schedule": ""}])
async def test_a_rule_that_is_switched_off_misses_nothing(database, rules, runs, change):
    await rules.put(HOURLY)
    await decide(database, HOURLY.name, NOON)
    await rules.put(replace(HOURLY, **change))
    off = await decide(database, HOURLY.name, NOON + HOUR)
    await rules.put(HOURLY)

    on = await decide(database, HOURLY.name, NOON + 5 * HOUR + MINUTE)

    assert (off.fire, off.wake_at) == (None, None)
    assert (on.fire, on.wake_at) == (None, NOON + 6 * HOUR)
    assert await runs.recent() == ()


async def test_a_rule_that_is_gone_is_never_due(database):
    verdict = await decide(database, "gone", NOON)

    assert (verdict.fire, verdict.wake_at) == (None, None)


async def test_jitter_puts_all_due_times_of_a_rule_off_by_the_same(database, rules):
    jitter = timedelta(minutes=30)
    late = shift(HOURLY.name, jitter)
    await rules.put(replace(HOURLY, jitter=jitter))
    await decide(database, HOURLY.name, NOON)

    early = await decide(database, HOURLY.name, NOON + HOUR + late - timedelta(seconds=1))
    fired = await decide(database, HOURLY.name, NOON + HOUR + late)

    assert (early.fire, early.wake_at) == (None, NOON + HOUR + late)
    assert (fired.fire.at, fired.wake_at) == (NOON + HOUR, NOON + 2 * HOUR + late)


async def test_only_rules_that_come_due_by_themselves_are_scheduled(fires, rules):
    await rules.put(HOURLY)
    await rules.put(replace(a_rule("never"), schedule=""))
    await rules.put(replace(a_rule("off"), schedule="0 * * * *", enabled=False))

    before = await fires.scheduled()
    await rules.put(replace(HOURLY, timezone="Europe/Berlin"))
    after = await fires.scheduled()

    assert list(before) == list(after) == [HOURLY.name]
    assert before != after


async def test_a_rule_that_was_off_while_nobody_looked_counts_from_when_it_is_back(
    database, fires, rules
):
    await rules.put(HOURLY)
    await decide(database, HOURLY.name, NOON)
    await fires.forget_others(())

    verdict = await decide(database, HOURLY.name, NOON + 5 * HOUR)

    assert (verdict.fire, verdict.wake_at) == (None, NOON + 6 * HOUR)


async def test_in_a_window_of_maintenance_nothing_begins_and_afterwards_one_run_does(
    database, rules, runs
):
    closed = replace(HOURLY, maintenance=("13:30-16:30",))
    await rules.put(closed)
    await decide(database, closed.name, NOON + HOUR)

    within = await decide(database, closed.name, NOON + 2 * HOUR)
    assert (within.fire, within.wake_at) == (None, NOON + 4 * HOUR + 30 * MINUTE)
    assert await runs.recent() == ()

    after = await decide(database, closed.name, NOON + 4 * HOUR + 30 * MINUTE)
    assert (after.fire.at, after.fire.coalesced) == (NOON + 4 * HOUR, 2)
    assert after.wake_at == NOON + 5 * HOUR


async def test_a_change_of_the_windows_is_seen_as_one_of_the_schedule(fires, rules):
    await rules.put(HOURLY)
    before = await fires.scheduled()

    await rules.put(replace(HOURLY, maintenance=("13:30-16:30",)))

    assert await fires.scheduled() != before


async def test_many_rules_are_decided_together_and_each_for_itself(database, rules, runs):
    at_once = {name: replace(HOURLY, name=name) for name in ("due", "off", "busy", "broken")}
    for each in at_once.values():
        await rules.put(each)
    await fires_at(database, NOON).decide([*at_once, "unknown"])
    await rules.put(replace(at_once["off"], enabled=False))
    await runs.start(at_once["busy"], "manual", NOON)
    async with database.writing() as connection:
        broken = update(rule_table).where(rule_table.c.name == "broken")
        await connection.execute(broken.values(definition={"schedule": 7}))

    verdicts = await fires_at(database, NOON + HOUR).decide([*at_once, "unknown"])

    assert verdicts["due"].fire.outcome is FireOutcome.RUN
    assert verdicts["busy"].fire.outcome is FireOutcome.SKIPPED_OVERLAP
    assert verdicts["due"].wake_at == verdicts["busy"].wake_at == NOON + 2 * HOUR
    assert verdicts["off"] == verdicts["unknown"] == Verdict(None, None)
    assert "rule 'broken' in the database cannot be read" in verdicts["broken"].trouble
    assert verdicts["broken"].wake_at is verdicts["broken"].fire is None
    assert [run.rule.name for run in await runs.recent()] == ["due", "busy"]


async def test_of_many_who_decide_about_many_at_once_one_fires_for_each(database, rules, runs):
    names = [f"rule-{number}" for number in range(10)]
    for name in names:
        await rules.put(replace(HOURLY, name=name))
    await fires_at(database, NOON).decide(names)

    asked = (names, names[::-1], names[:5], names[5:], names)
    later = NOON + HOUR
    found = await asyncio.gather(*(fires_at(database, later).decide(some) for some in asked))

    fired = [name for each in found for name in each if each[name].fire is not None]
    assert sorted(fired) == names
    assert len(await runs.recent()) == 10


async def test_each_change_of_a_rule_shows_in_the_number_of_the_last(fires, rules):
    seen = [await fires.last_change()]
    for change in (rules.put(HOURLY), rules.put(HOURLY), rules.delete(HOURLY.name)):
        await change
        seen.append(await fires.last_change())

    assert seen[0] < seen[1] == seen[2] < seen[3]
