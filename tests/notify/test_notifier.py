"""The notifier over a real database: who is told what becomes of runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.errors import NotDelivered
from replicator.notify.notifier import Notifier
from replicator.notify.settings import Channel, ChannelKind, Secret
from replicator.store.database import Database
from replicator.store.notifications import MOST_ATTEMPTS, Notifications
from replicator.store.owner import Owner
from replicator.store.records import RunState, Totals
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from tests.store.values import HOUR, NOON, a_rule

MINUTE = timedelta(minutes=1)
OPS = Channel("ops", ChannelKind.WEBHOOK, Secret("http://x"))


class Post:
    """Keeps what is sent, while it works."""

    def __init__(self):
        self.sent = []
        self.works = True

    async def send(self, channel, message):
        if not self.works:
            raise NotDelivered("no answer")
        self.sent.append((channel.name, message.text()))


class Bench:
    def __init__(self, database: Database) -> None:
        self.database, self.post, self.now = database, Post(), NOON
        self.runs = Runs(database, Owner.this_process())

    async def keep(self, *names, **more):
        for name in names:
            await Rules(self.database).put(replace(a_rule(name), **more))

    async def ran(self, state, *names, error=""):
        for name in names:
            record = await self.runs.start(a_rule(name), "test", self.now)
            totals = Totals({"failed": 1} if state is RunState.PARTIAL else {})
            await self.runs.finish(record.id, state, totals, self.now, error=error)

    def notifier(self, *channels: Channel, **options) -> Notifier:
        kept = Notifications(self.database)
        return Notifier(
            channels or [OPS], kept=kept, post=self.post, clock=lambda: self.now, **options
        )

    async def look(self, *channels):
        """Look, and return what is told."""
        self.post.sent.clear()
        await self.notifier(*channels).look()
        return list(self.post.sent)


@pytest.fixture
async def bench(database: Database) -> Bench:
    bench = Bench(database)
    await bench.keep("base")
    return bench


async def test_a_failure_and_its_end_are_told_once(bench):
    await bench.ran(RunState.SUCCEEDED, "base")
    assert await bench.look() == []

    await bench.ran(RunState.FAILED, "base", error="no answer")
    assert await bench.look() == [("ops", "rule base failed: no answer")]
    assert await bench.look() == []

    await bench.ran(RunState.SUCCEEDED, "base")
    assert await bench.look() == [("ops", "rule base is well again")]
    assert await bench.look() == []


async def test_rules_that_fail_together_are_one_message(bench):
    await bench.keep("other", "third")
    await bench.ran(RunState.PARTIAL, "base", "other", "third")

    ((_, text),) = await bench.look()

    assert text.splitlines() == [
        f"rule {name} partial: tags: 1 failed" for name in ("base", "other", "third")
    ]


async def test_a_channel_is_told_of_its_rules_alone(bench):
    await bench.keep("web-app")
    web = replace(OPS, name="web", rules=("web-*",))
    await bench.ran(RunState.FAILED, "base", "web-app")

    told = await bench.look(OPS, web)

    assert [(name, len(text.splitlines())) for name, text in sorted(told)] == [
        ("ops", 2),
        ("web", 1),
    ]


async def test_what_could_not_be_delivered_is_tried_later_and_later(bench):
    bench.post.works = False
    await bench.ran(RunState.FAILED, "base")
    await bench.look()
    bench.post.works = True

    assert await bench.look() == []
    bench.now += timedelta(seconds=30)
    assert len(await bench.look()) == 1


async def test_after_many_tries_a_message_is_given_up_and_the_next_state_is_told(bench):
    bench.post.works = False
    await bench.ran(RunState.FAILED, "base")
    for _ in range(MOST_ATTEMPTS):
        await bench.look()
        bench.now += 2 * HOUR
    bench.post.works = True

    assert await bench.look() == []
    await bench.ran(RunState.SUCCEEDED, "base")
    assert await bench.look() == [("ops", "rule base is well again")]


async def test_of_many_services_one_tells(bench):
    await bench.ran(RunState.FAILED, "base")

    await asyncio.gather(*(bench.notifier().look() for _ in range(6)))

    assert len(bench.post.sent) == 1


async def test_a_rule_behind_its_objective_is_told_and_its_end(bench):
    await bench.keep("quick", objective=30 * MINUTE)
    await bench.ran(RunState.SUCCEEDED, "quick")
    assert await bench.look() == []

    bench.now += HOUR
    assert await bench.look() == [
        ("ops", "rule quick is not in step since 1h; its objective is 30m")
    ]

    await bench.ran(RunState.SUCCEEDED, "quick")
    assert await bench.look() == [("ops", "rule quick is in step again")]


async def test_a_mistake_of_ours_about_one_channel_keeps_nothing_from_others(bench):
    await bench.ran(RunState.FAILED, "base")
    send = bench.post.send

    async def stumble(channel, message):
        if channel.name == "ops":
            raise ZeroDivisionError
        await send(channel, message)

    bench.post.send = stumble
    looks = []

    async def sleep(seconds):
        looks.append(seconds)
        if len(looks) > 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await bench.notifier(OPS, replace(OPS, name="dev"), sleep=sleep).run()

    assert bench.post.sent == [("dev", "rule base failed")]


async def test_rules_that_rest_and_runs_of_some_tags_are_nothing_to_tell(bench):
    await bench.keep("resting", enabled=False)
    await bench.ran(RunState.FAILED, "resting")

    assert await bench.look() == []


async def test_channels_and_rules_that_are_gone_are_forgotten(bench):
    await bench.ran(RunState.FAILED, "base")
    await bench.look()
    kept = Notifications(bench.database)

    await kept.forget_others(["another"])

    assert len(await bench.look()) == 1
