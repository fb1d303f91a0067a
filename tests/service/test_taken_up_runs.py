"""Runs that services share: divided, cancelled, limited, broken off and given back."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.errors import PullsSpent, RegistryUnavailable, StoreError
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.rule import Prune, TagSelection
from replicator.registry.settings import CredentialSource
from replicator.service.items.item_runner import ItemRunner
from replicator.service.looking.only import Only
from replicator.service.processes.lease import Lease
from replicator.service.processes.signs_of_life import SignsOfLife
from replicator.service.processes.steps import Step, pass_by
from replicator.store.items import Items
from replicator.store.owner import Owner
from replicator.store.queue import Queue
from replicator.store.reaper import Reaper
from replicator.store.records import RunState
from replicator.store.runs import Runs
from tests.service.conftest import SOURCE, Bench, rule

OTHER = "source.io/team/other"
ELSEWHERE = Owner("other-host", "another-boot:another-namespace", 17, "12345")
WIDE = rule(source="source.io/team/*", destinations=("destination.io/{repository}",))


class Killed(BaseException):
    """A worker ended right here."""


class Shop:
    """Workers without a loop: a queue and items in a database, registries in memory."""

    def __init__(self, bench, database):
        self.bench, self.database = bench, database
        self.queue, self.runs = Queue(database), Runs(database, Owner.this_process())
        self.items = Items(database, Owner.this_process())
        self.looks = asyncio.Queue()
        self.runner = self.worker()

    def worker(self, items=None, *, largest=2000, die_at=None, sleep=None):
        items = items or self.items
        self.life = SignsOfLife(
            items,
            lease=Lease(),
            clock=self.bench.clock,
            sleep=sleep or self.sleep,
        )

        def pass_step(step):
            if step is die_at:
                raise Killed

        return ItemRunner(
            means=self.bench.runner().means,
            items=items,
            life=self.life,
            wake=lambda: None,
            pass_step=pass_by if die_at is None else pass_step,
            largest=largest,
        )

    def sleep(self, seconds):
        """Look for cancellations when told to, and give no sign of life."""
        return self.looks.get() if seconds <= 2 else asyncio.Event().wait()

    async def add(self, of, **options):
        return await self.queue.add(of, "test", self.bench.clock(), **options)

    async def claim(self, items=None):
        claims = await (items or self.items).claim(self.bench.clock())
        return claims[0] if claims else None

    async def work(self, runner=None):
        """Carry out all that waits; return the report of the last run that ended."""
        report, done = None, []
        while (claim := await self.claim()) is not None:
            done.append(claim)
            report = await (runner or self.runner).carry_out(claim) or report
        self.done = done
        return report

    async def under_way(self):
        """Start an item whose copy does not end, and return its task when that has begun."""
        claim = await self.claim()
        task = asyncio.create_task(self.runner.carry_out(claim))
        while not self.bench.copier.running:  # noqa: ASYNC110 - the fakes set no events
            await asyncio.sleep(0)
        return claim, task


@pytest.fixture
def database_url(tmp_path):
    """The store's own tests say that both databases do the same."""
    return f"sqlite:///{tmp_path}/replicator.db"


@pytest.fixture
async def shop(bench, database):
    return Shop(bench, database)


def some_tags(bench):
    bench.source.put("1", "2", "3")


def nothing(bench):
    bench.source.put("other")


def one_fails(bench):
    bench.source.put("1", "2")
    bench.copier.failing[Tag("1")] = (RegistryUnavailable("503", status=503), "destination")


def all_fail(bench):
    bench.source.put("1")
    bench.copier.failing[Tag("1")] = (RegistryUnavailable("503", status=503), "destination")


def listing_breaks(bench):
    bench.source.put("1", "2", "3")
    bench.world.page_size = 1
    bench.world.breaks_after[SOURCE] = 2


def several_repositories(bench):
    for name in ("a", "b", "c"):
        bench.world.content(f"source.io/team/{name}").put("1", name)


def catalogue_fails(bench):
    bench.world.broken["catalog", "source.io", None] = RegistryUnavailable("503", status=503)


SAME = [
    (some_tags, rule()),
    (nothing, rule(tags=("1*",))),
    (nothing, rule(tags=("1*",), allow_empty=True)),
    (some_tags, rule(tags=TagSelection(min_tags=5))),
    (some_tags, rule(tags=TagSelection(latest=2))),
    (some_tags, rule(tags=("1", "gone"))),
    (one_fails, rule()),
    (all_fail, rule()),
    (listing_breaks, rule()),
    (listing_breaks, rule(prune=Prune.MIRROR)),
    (several_repositories, WIDE),
    (several_repositories, replace(WIDE, destinations=("destination.io/all:{tag}",))),
    (several_repositories, replace(WIDE, destinations=("a.io/x/{name}", "a.io/y/{name}"))),
    (catalogue_fails, WIDE),
]


@pytest.mark.parametrize(("prepare", "of"), SAME)
async def test_a_shared_run_comes_to_the_same_as_one_in_one_process(shop, prepare, of):
    prepare(shop.bench)
    alone = Bench()
    prepare(alone)
    expected = await alone.run(of)

    await shop.add(of)
    report = await shop.work()

    assert (report.state, report.error) == (expected.state, expected.error)
    assert (report.counts, report.tally) == (expected.counts, expected.tally)
    assert report.requests == expected.requests
    assert shop.bench.ledger.rows.keys() == alone.ledger.rows.keys()
    record = (await shop.runs.show(report.run))[0]
    assert (record.state, record.totals, record.error) == (
        report.state,
        report.totals,
        report.error,
    )


async def test_tags_that_are_gone_are_removed_once_all_is_known(shop):
    several_repositories(shop.bench)
    of = replace(WIDE, prune=Prune.MIRROR, prune_after=timedelta(minutes=10))
    await shop.add(of)
    await shop.work()
    del shop.bench.world.content("source.io/team/a").tags[Tag("1")]
    counts = []
    for _ in range(2):
        shop.bench.clock.pass_time(minutes=11)
        await shop.add(of)
        counts.append((await shop.work()).counts)

    assert [(each["gone"], each["pruned"]) for each in counts] == [(1, 0), (0, 1)]
    assert Tag("1") not in shop.bench.world.content("destination.io/team/a").tags
    assert Tag("1") in shop.bench.world.content("destination.io/team/b").tags


async def test_failing_tags_that_the_rule_no_longer_comes_across_are_forgotten(shop):
    one_fails(shop.bench)
    await shop.add(rule())
    await shop.work()
    await shop.add(rule())
    await shop.work()
    still = set(shop.bench.notes.kept["rule"].failing)
    shop.bench.source.tags.pop(Tag("1"))

    await shop.add(rule())
    await shop.work()

    assert [str(tag) for _, tag in still] == ["1"]
    assert shop.bench.notes.kept["rule"].failing == {}


async def test_a_large_repository_is_shared(shop):
    shop.bench.source.put(*map(str, range(10)))
    await shop.add(rule())
    runner = shop.worker(largest=3)

    report = await shop.work(runner)

    assert report.counts["copied"] == report.counts["selected"] == 10
    assert [len(claim.piece.tags or ()) for claim in shop.done] == [0, 3, 3, 1]
    assert shop.bench.world.count("tags", registry="source.io") == 1
    assert len(shop.bench.ledger.rows) == 10


async def all_of(shop, runner, items):
    while (claim := await shop.claim(items)) is not None:
        await runner.carry_out(claim)


SHARED_STEPS = [
    step
    for step in Step
    if step
    not in {
        Step.AFTER_FIRE,
        Step.AFTER_CLAIM,
        Step.BEFORE_RELEASE,
        Step.AFTER_RELEASE,
    }
]


@pytest.mark.parametrize("step", SHARED_STEPS)
async def test_wherever_a_worker_dies_another_goes_on(shop, step):
    for name in ("a", "b"):
        shop.bench.world.content(f"source.io/team/{name}").put(*(f"{name}{n}" for n in range(5)))
    added = await shop.add(WIDE)
    lost = Items(shop.database, ELSEWHERE, lease=timedelta(seconds=-1))
    dying = shop.worker(lost, largest=2, die_at=step)
    with pytest.raises(BaseException) as death:  # noqa: PT011 - alone or in a group
        await all_of(shop, dying, lost)
    assert "Killed" in repr(death.value)
    runner = shop.worker(largest=2)

    for _ in range(2):
        await Reaper(shop.database).reap(shop.bench.clock())
        await shop.work(runner)

    record, _ = await shop.runs.show(added.id)
    assert record.state is RunState.SUCCEEDED
    assert record.totals.counts["selected"] == 10
    published = Counter(str(tag) for _, tag in shop.bench.ledger.rows)
    assert published == Counter(f"{name}{n}" for name in "ab" for n in range(5))


async def test_a_rule_that_is_of_no_use_fails_its_run_and_says_why(shop):
    await shop.add(rule(tags=TagSelection(semver="not a range")))

    report = await shop.work()

    assert report.state is RunState.FAILED
    assert "semver" in report.error


async def test_a_run_that_somebody_cancels_ends_in_the_middle_of_a_copy(shop):
    shop.bench.source.put("1")
    shop.bench.copier.endless = {"1"}
    added = await shop.add(rule())
    alive = asyncio.create_task(shop.life.keep())
    _, running = await shop.under_way()

    await shop.queue.cancel(added.id, shop.bench.clock())
    shop.looks.put_nowait("look")
    report = await running

    assert report.state is RunState.CANCELLED
    assert (await shop.runs.show(added.id))[0].state is RunState.CANCELLED
    alive.cancel()


class SignAfter:
    """Items of which a sign of life is given right after an item, or a run, is done with."""

    def __init__(self, items):
        self._items, self.signs, self._looked = items, asyncio.Queue(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._items, name)

    async def finish(self, *about):
        following = await self._items.finish(*about)
        await self._sign()
        return following

    async def close(self, *about, error):
        await self._items.close(*about, error=error)
        await self._sign()

    async def taken(self, keys):
        found = await self._items.taken(keys)
        self._looked.set()
        return found

    def sleep(self, seconds):
        return self.signs.get() if seconds > 2 else asyncio.Event().wait()

    async def _sign(self):
        self._looked.clear()
        self.signs.put_nowait("now")
        await self._looked.wait()
        # For what was found to be acted on.
        await asyncio.sleep(0)


async def test_what_is_done_with_is_not_taken_for_lost_before_its_worker_knows(shop):
    shop.bench.source.put("1")
    items = SignAfter(shop.items)
    runner = shop.worker(items, sleep=items.sleep)
    await shop.add(rule())

    keeping = asyncio.create_task(shop.life.keep())
    report = await shop.work(runner)
    keeping.cancel()

    assert report.state is RunState.SUCCEEDED
    assert (await shop.runs.show(report.run))[0].state is RunState.SUCCEEDED


async def test_an_item_that_is_broken_off_is_given_back_with_what_it_did(shop):
    shop.bench.source.put("1", "2")
    shop.bench.copier.endless = {"2"}
    added = await shop.add(rule())
    _, running = await shop.under_way()
    await shop.bench.copier.done.acquire()
    await asyncio.sleep(0)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    waiting, _ = await shop.runs.show(added.id)
    shop.bench.copier.endless = set()
    report = await shop.work()

    assert waiting.state is RunState.QUEUED
    assert (report.run, report.state) == (added.id, RunState.SUCCEEDED)
    assert report.tally.bytes_moved == 20
    assert (report.counts["copied"], report.counts["skipped"]) == (2, 0)


async def test_what_a_lost_worker_copied_counts_as_copied(shop):
    shop.bench.source.put("1", "2", "3")
    added = await shop.add(rule())
    lost = Items(shop.database, ELSEWHERE, lease=timedelta(seconds=-1))
    dying = shop.worker(lost, die_at=Step.BEFORE_ITEM_DONE)
    with pytest.raises(Killed):
        await dying.carry_out(await shop.claim(lost))
    shop.bench.source.put("4")

    await Reaper(shop.database).reap(shop.bench.clock())
    report = await shop.work()

    assert (report.run, report.counts["copied"], report.counts["skipped"]) == (added.id, 4, 0)
    assert len(shop.bench.copier.orders) == 4


async def test_what_another_item_of_the_run_copied_counts_for_that_alone(shop):
    for name in ("a", "b"):
        shop.bench.world.content(f"source.io/team/{name}").put("1")
    added = await shop.add(WIDE)
    await shop.runner.carry_out(await shop.claim())
    await shop.runner.carry_out(await shop.claim())
    other = await shop.claim()
    await shop.items.release(other, shop.bench.clock())

    again = await shop.claim()
    found = await shop.items.copied(again)
    report = await shop.runner.carry_out(again)

    assert (again.attempt, found) == (2, frozenset())
    assert (report.run, report.counts["copied"]) == (added.id, 2)


async def test_draining_ends_what_has_begun_and_begins_nothing(shop):
    bench = shop.bench
    bench.source.put("1", "2", "3")
    bench.limits = replace(bench.limits, images=1)
    shop.runner = shop.worker()
    copying, go_on = asyncio.Event(), asyncio.Event()
    copy = bench.copier.copy

    async def slowly(order):
        copying.set()
        await go_on.wait()
        return await copy(order)

    bench.copier.copy = slowly
    await shop.add(rule())
    running = asyncio.create_task(shop.runner.carry_out(await shop.claim()))
    await copying.wait()
    draining = asyncio.create_task(shop.runner.drain())
    await asyncio.sleep(0)
    assert not draining.done()

    go_on.set()
    await draining
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert len(bench.copier.orders) == 1
    assert len(bench.ledger.rows) == 1


async def test_a_limited_run_is_about_those_tags_and_does_not_discover(shop):
    shop.bench.source.put("1", "2")
    shop.bench.world.content(OTHER).put("1")
    wide = replace(WIDE, tags=TagSelection(min_tags=3))

    await shop.add(wide, only=(f"{SOURCE}:2",))
    report = await shop.work()

    assert (report.state, report.counts["selected"]) == (RunState.SUCCEEDED, 1)
    assert [str(tag) for _, tag in shop.bench.ledger.rows] == ["2"]
    assert shop.bench.world.count("catalog") == 0


async def test_a_retry_tries_tags_at_once_that_would_have_to_wait(shop):
    bench = shop.bench
    bench.source.put("1")
    bench.copier.failing[Tag("1")] = (RegistryUnavailable("503", status=503), "destination")
    for _ in range(4):
        await shop.add(rule())
        await shop.work()
    bench.copier.failing.clear()
    note = next(iter(bench.notes.kept["rule"].failing.values()))
    waits = replace(note, next_try_at=bench.clock() + timedelta(hours=1))
    kept = bench.notes.kept["rule"]
    bench.notes.kept["rule"] = replace(kept, failing={(note.destination, note.tag): waits})

    await shop.add(rule())
    held = await shop.work()
    await shop.add(rule(), repeats="20260314-031500-k3f9x2ab")
    tried = await shop.work()

    assert (held.counts["blocked"], tried.counts["copied"]) == (1, 1)


async def test_an_item_waits_for_the_pulls_that_its_registry_still_gives_out(shop):
    bench = shop.bench
    bench.source.put("1", "2")
    spent = PullsSpent("no pulls are left", retry_after=3600.0, registry="source.io")
    bench.copier.failing[Tag("2")] = (spent, "source")
    added = await shop.add(rule())
    await shop.work()
    bench.copier.failing.clear()
    await Reaper(shop.database).reap(bench.clock())
    early = await shop.claim()

    bench.clock.pass_time(minutes=61)
    await Reaper(shop.database).reap(bench.clock())
    report = await shop.work()

    assert early is None
    assert (report.run, report.state) == (added.id, RunState.SUCCEEDED)
    assert report.counts["deferred"] == 0
    assert report.tally.bytes_moved == 20


async def test_a_failure_of_the_database_is_for_the_next_attempt(shop):
    shop.bench.source.put("1")
    await shop.add(rule())
    record = shop.bench.ledger.record

    async def fails(*_, **__):
        shop.bench.ledger.record = record
        raise StoreError("the database went away")

    shop.bench.ledger.record = fails
    assert await shop.runner.carry_out(await shop.claim()) is None

    shop.bench.clock.pass_time(seconds=6)
    await Reaper(shop.database).reap(shop.bench.clock())
    report = await shop.work()

    assert report.state is RunState.SUCCEEDED
    assert len(shop.bench.ledger.rows) == 1


def test_tags_are_read_by_repository():
    only = Only.of(["host.io:5000/a/b:1", "host.io:5000/a/b:2", "docker.io/library/c:3"])

    a, c, d = (RepositoryName.parse(text) for text in ("host.io:5000/a/b", "c", "d"))
    assert [only.includes(a, Tag(tag)) for tag in "123"] == [True, True, False]
    assert [only.includes(c, Tag(tag)) for tag in "123"] == [False, False, True]
    assert not only.includes(d, Tag("3"))


def test_a_repository_without_a_tag_means_all_of_its_tags():
    only = Only.of(["host.io:5000/a/b", "docker.io/library/c:3", "docker.io/library/c"])

    for name in ("host.io:5000/a/b", "c"):
        assert only.includes(RepositoryName.parse(name), Tag("9"))
    assert not only.includes(RepositoryName.parse("host.io:5000/a"), Tag("9"))


async def test_a_run_whose_password_is_not_there_fails_at_once_and_asks_nobody(bench, shop):
    some_tags(bench)
    bench.logins["destination.io"] = CredentialSource("me", password_env="NOT_SET_ANYWHERE")

    await shop.add(rule())
    report = await shop.work()

    assert report.state is RunState.FAILED
    assert report.error == "destination.io: the environment variable NOT_SET_ANYWHERE is not set"
    assert not bench.world.requests
    assert len(shop.done) == 1
