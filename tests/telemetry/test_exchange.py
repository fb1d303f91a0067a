"""What moves is said to those who ask, over a real server, and to nobody else."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from replicator.errors import StoreError
from replicator.events import BlobProgressed, BlobStarted, TagFinished, TagStarted
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.store.live_news import WATCHED, LiveNews
from replicator.telemetry.exchange import Asking, Saying
from replicator.telemetry.live import LiveRuns

THERE, LAYER = RepositoryName("registry.example.com", "app"), Digest.of(b"layer")


class News:
    """Notes what is said; *breaks* once."""

    def __init__(self):
        self.said = []
        self.breaks = False

    async def say(self, texts):
        if self.breaks:
            self.breaks = False
            raise StoreError("the database went away")
        self.said.append(list(texts))


class Time:
    """Seconds that pass while somebody sleeps; *limit* of them, and then nobody wakes."""

    def __init__(self, limit):
        self.now, self.limit, self.over = 0.0, limit, asyncio.Event()

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds
        if self.now > self.limit:
            self.over.set()
            await asyncio.Event().wait()


@pytest.fixture
def copying():
    """What a process knows that copies a layer of 100 bytes, and has 40 of them."""
    live = LiveRuns()
    hear(live, TagStarted("source.io/app:1", THERE, Tag("1"), {LAYER: 100}))
    hear(live, BlobStarted(THERE, LAYER, 100))
    hear(live, BlobProgressed(THERE, LAYER, 40))
    return live


@pytest.fixture
def database_url(postgres_server, postgres_template):
    return postgres_server.url(postgres_server.create_database(template=postgres_template))


def hear(live, event, run="r1"):
    with structlog.contextvars.bound_contextvars(run=run):
        live.hear(event)


async def say(live, news, time, notice):
    """Let somebody ask, and return when the time is over."""
    saying = Saying(live, news, monotonic=time, sleep=time.sleep)
    saying.hear(notice)
    task = asyncio.create_task(saying.run())
    await time.over.wait()
    task.cancel()
    await asyncio.wait([task])


async def test_a_question_is_answered_for_a_while_once_a_second_however_much_moves(copying):
    news = News()
    for _ in range(10_000):
        hear(copying, BlobProgressed(THERE, LAYER, 0))

    await say(copying, news, Time(9), f"{WATCHED} r1 other")

    assert len(news.said) == 10
    assert {len(texts) for texts in news.said} == {1}


@pytest.mark.parametrize(
    "notice",
    [
        f"{WATCHED} r2 other",
        f"{WATCHED} r1 {{me}}",
        f"{WATCHED} r1",
        "rules",
        "",
        f"{WATCHED} r1 other more",
    ],
)
async def test_nothing_is_said_of_other_runs_to_oneself_or_to_who_asks_nothing(copying, notice):
    news = News()
    saying = Saying(copying, news)

    saying.hear(notice.format(me=copying.epoch))
    task = asyncio.create_task(saying.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert news.said == []


async def test_that_nothing_moves_is_said_once():
    live, news = LiveRuns(), News()
    hear(live, TagStarted("source.io/app:1", THERE, Tag("1"), {LAYER: 100}))
    hear(live, TagFinished("source.io/app:1", THERE, Tag("1"), None, "no disk left"))

    await say(live, news, Time(9), f"{WATCHED} r1 other")

    assert len(news.said) == 1


async def test_while_the_database_is_away_nothing_more_is_said_until_somebody_asks(copying):
    news, time = News(), Time(3)
    news.breaks = True
    saying = Saying(copying, news, monotonic=time, sleep=time.sleep)
    task = asyncio.create_task(saying.run())
    saying.hear(f"{WATCHED} r1 other")
    while news.breaks:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    before = list(news.said)
    saying.hear(f"{WATCHED} r1 other")
    await time.over.wait()
    task.cancel()
    await asyncio.wait([task])

    assert before == []
    assert news.said


async def test_over_a_server_who_watches_sees_what_another_process_moves(copying, database):
    watching, news = LiveRuns(), LiveNews(database)
    saying, asking = Saying(copying, news), Asking(watching, news)

    async def heed():
        async for notice in database.notices():
            saying.hear(notice)

    tasks = [asyncio.create_task(each) for each in (heed(), saying.run(), asking.run())]
    before = watching.images("r1")
    with watching.elsewhere.watching("r1"):
        async with asyncio.timeout(20):
            while not (images := watching.images("r1")):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        blobs = watching.blobs("r1")
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

    assert before == []
    assert images == copying.images("r1")
    assert [(each["digest"], each["done"], each["size"]) for each in blobs] == [
        (str(LAYER), 40, 100)
    ]
