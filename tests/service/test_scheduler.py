"""The scheduler on a clock that a test moves: days of rules in a moment."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from replicator.errors import StoreError
from replicator.service.scheduling.alarm import ClockAlarm
from replicator.service.scheduling.scheduler import Scheduler
from replicator.store.database import Database
from replicator.store.fires import Fires
from replicator.store.owner import Owner
from replicator.store.records import FireOutcome, RunState
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from tests.service.conftest import rule
from tests.service.fakes import Clock
from tests.support.working import Idler

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class VirtualAlarm:
    """Rings when a test lets time pass, each time at exactly the moment that was set."""

    def __init__(self, clock):
        self.clock = clock
        self.times = {}

    def start(self, ring):
        self.ring = ring

    def set(self, name, at):
        self.times[name] = at

    def unset(self, name):
        self.times.pop(name, None)

    def look(self):
        pass

    def stop(self):
        pass

    async def pass_time(self, span):
        end = self.clock.now + span
        while self.times and min(self.times.values()) <= end:
            at, name = min((at, name) for name, at in self.times.items())
            self.clock.now = max(self.clock.now, at)
            del self.times[name]
            await self.ring(name)
        self.clock.now = end


class Told:
    """Counts the words that runs wait."""

    def __init__(self):
        self.words = 0

    def send(self):
        self.words += 1


class Office:
    """A scheduler with a database and time in the hands of a test."""

    def __init__(self, database, start=None):
        self.clock = Clock()
        if start is not None:
            self.clock.now = start
        self.fires, self.rules = Fires(database, time=self.time), Rules(database)
        me = Owner.this_process()
        self.idler, self.runs = Idler(database), Runs(database, me)
        self.engine = Told()
        # How often the database was asked for the time, and how far it is behind the scheduler's.
        self.asked, self.behind = 0, timedelta()
        self.restart()

    async def time(self, connection):
        self.asked += 1
        return self.clock.now - self.behind

    def restart(self):
        self.alarm = VirtualAlarm(self.clock)
        self.scheduler = self.another(self.alarm)

    def another(self, alarm):
        scheduler = Scheduler(fires=self.fires, alarm=alarm, engine=self.engine, clock=self.clock)
        alarm.start(scheduler.ring)
        return scheduler

    async def work(self):
        """Finish all runs that wait."""
        while await self.idler.end_next(self.clock.now) is not None:
            pass

    async def settled(self, name="rule"):
        return [fire.at for fire in reversed(await self.fires.recent(name, limit=1000))]


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


async def test_a_day_of_hours_fires_each_hour_once(office):
    await office.rules.put(rule(schedule="0 * * * *"))
    start = office.clock.now
    await office.scheduler.look(forget=True)

    for _ in range(24):
        await office.alarm.pass_time(HOUR)
        await office.work()

    assert await office.settled() == [start + number * HOUR for number in range(1, 25)]
    assert office.engine.words == 24


async def test_two_schedulers_fire_each_due_time_once(office):
    await office.rules.put(rule(schedule="*/10 * * * *"))
    other_alarm = VirtualAlarm(office.clock)
    other = office.another(other_alarm)
    start = office.clock.now
    await office.scheduler.look()
    await other.look()

    for _ in range(12):
        office.clock.now += 10 * MINUTE
        await asyncio.gather(office.scheduler.ring("rule"), other.ring("rule"))
        await office.work()

    assert await office.settled() == [start + 10 * number * MINUTE for number in range(1, 13)]
    assert len(await office.runs.recent()) == 12


@pytest.mark.parametrize(
    ("day", "hours"),
    [(datetime(2026, 3, 28, 23, tzinfo=UTC), 23), (datetime(2026, 10, 24, 22, tzinfo=UTC), 25)],
)
async def test_days_on_which_clocks_change_have_each_due_time_once(database, day, hours):
    office = Office(database, start=day - timedelta(seconds=1))
    berlin = {"timezone": "Europe/Berlin"}
    await office.rules.put(rule("hourly", schedule="0 * * * *", **berlin))
    other = ("other.io/mirror/app",)
    await office.rules.put(rule("nightly", schedule="30 2 * * *", destinations=other, **berlin))
    await office.scheduler.look()

    for _ in range(hours * 4):
        await office.alarm.pass_time(15 * MINUTE)
        await office.work()

    assert len(await office.settled("hourly")) == hours
    assert len(await office.settled("nightly")) == 1


async def test_after_six_hours_of_downtime_each_rule_has_one_run_for_all_it_missed(office):
    names = [f"rule-{number}" for number in range(20)]
    for name in names:
        destinations = (f"destination.io/{name}/app",)
        await office.rules.put(rule(name, schedule="0 * * * *", destinations=destinations))
    await office.scheduler.look(forget=True)

    office.clock.pass_time(hours=6, minutes=1)
    office.restart()
    await office.scheduler.look(forget=True)

    fires = [(await office.fires.recent(name))[0] for name in names]
    assert {fire.coalesced for fire in fires} == {5}
    assert len(await office.runs.recent()) == 20
    assert set(office.scheduler.next_fires) == set(names)


async def test_a_run_that_lasts_longer_than_its_schedule_is_not_doubled(office):
    await office.rules.put(rule(schedule="every 10m"))
    await office.scheduler.look()
    await office.alarm.pass_time(10 * MINUTE)
    claim, _ = await office.idler.take_up(office.clock.now)

    await office.alarm.pass_time(30 * MINUTE)
    await office.idler.end(claim, RunState.SUCCEEDED, office.clock.now)
    await office.alarm.pass_time(10 * MINUTE)

    outcomes = [fire.outcome for fire in await office.fires.recent("rule")]
    assert outcomes == [
        FireOutcome.RUN,
        *[FireOutcome.SKIPPED_OVERLAP] * 3,
        FireOutcome.RUN,
    ]


async def test_changes_of_rules_act_at_the_next_look(office):
    await office.scheduler.look()
    await office.rules.put(rule(schedule="every 10m"))
    await office.scheduler.look()
    added = dict(office.alarm.times)
    await office.rules.put(rule(schedule="every 20m"))
    await office.scheduler.look()
    changed = dict(office.alarm.times)
    await office.rules.delete("rule")
    await office.scheduler.look()

    now = office.clock.now
    assert added == {"rule": now + 10 * MINUTE}
    assert changed == {"rule": now + 20 * MINUTE}
    assert office.alarm.times == office.scheduler.next_fires == {}


async def test_a_rule_that_is_deleted_between_two_looks_does_not_fire(office):
    await office.rules.put(rule(schedule="every 10m"))
    await office.scheduler.look()
    await office.rules.delete("rule")

    await office.alarm.pass_time(HOUR)

    assert await office.runs.recent() == ()


async def test_a_database_that_is_away_delays_a_due_time_and_loses_none(office):
    await office.rules.put(rule(schedule="0 * * * *"))
    await office.scheduler.look()
    decide, due = office.fires.decide, office.clock.now + HOUR
    failures = 3

    async def fail(names):
        nonlocal failures
        failures -= 1
        if failures < 0:
            return await decide(names)
        raise StoreError("database away")

    office.fires.decide = fail
    await office.alarm.pass_time(HOUR + MINUTE)

    assert await office.settled() == [due]
    assert (await office.fires.recent("rule"))[0].decided_at == due + timedelta(seconds=15)


async def test_a_database_whose_clock_is_set_back_is_not_asked_without_pause(office):
    await office.rules.put(rule(schedule="0 * * * *"))
    await office.scheduler.look()
    due, office.behind = office.clock.now + HOUR, timedelta(seconds=1)

    await office.alarm.pass_time(HOUR + timedelta(seconds=0.5))
    asked_before = office.asked
    await office.alarm.pass_time(MINUTE)

    assert asked_before < 10
    assert await office.settled() == [due]


async def test_looking_goes_on_when_the_database_is_away(office):
    looks = asyncio.Queue()
    office.scheduler._sleep = lambda seconds: looks.get()
    scheduled, office.fires.scheduled = office.fires.scheduled, None
    asked = asyncio.Event()

    async def away():
        asked.set()
        raise StoreError("database away")

    office.fires.scheduled = away
    running = asyncio.create_task(office.scheduler.run())
    await asked.wait()
    assert office.scheduler.trouble() == "has not read the rules yet"

    office.fires.scheduled = scheduled
    looks.put_nowait("look")
    while office.scheduler.trouble():  # noqa: ASYNC110 - it sets no event
        await asyncio.sleep(0)
    running.cancel()


async def test_the_clock_rings_once_for_each_time_set_and_at_once_for_what_is_past():
    alarm, rung = ClockAlarm(_now), asyncio.Queue()

    async def ring(name):
        rung.put_nowait(name)

    alarm.start(ring)
    soon = _now() + timedelta(milliseconds=50)
    alarm.set("moved", _now() + DAY)
    alarm.set("moved", soon)
    alarm.set("unset", soon - timedelta(milliseconds=10))
    alarm.unset("unset")
    alarm.set("past", _now() - DAY)
    alarm.look()

    assert [await rung.get(), await rung.get()] == ["past", "moved"]
    alarm.stop()
    assert rung.empty()


async def test_the_clock_rings_once_for_all_that_is_due():
    alarm, rung = ClockAlarm(_now), asyncio.Queue()

    async def ring(*names):
        rung.put_nowait(names)

    alarm.start(ring)
    past = _now() - MINUTE
    for number in range(1000):
        alarm.set(f"rule-{number:03}", past)

    assert await rung.get() == tuple(f"rule-{number:03}" for number in range(1000))
    alarm.stop()
    assert rung.empty()


async def test_it_rings_by_a_clock_that_is_not_the_machines_and_follows_it_when_it_is_set():
    clock, rung = Clock(), asyncio.Queue()
    alarm = ClockAlarm(clock)

    async def ring(name):
        rung.put_nowait(name)

    alarm.start(ring)
    alarm.set("due", clock.now)
    alarm.set("later", clock.now + HOUR)
    assert await rung.get() == "due"

    clock.pass_time(hours=1)
    alarm.look()
    assert await rung.get() == "later"
    alarm.stop()


async def test_a_rule_may_have_any_name_that_a_job_could_have(office):
    await office.rules.put(replace(rule(schedule="every 1s"), name="a.b-c_1"))

    await office.scheduler.look()

    assert set(office.alarm.times) == {"a.b-c_1"}


def _now():
    return datetime.now(UTC)
