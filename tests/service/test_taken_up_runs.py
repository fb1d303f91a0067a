"""Runs that a service takes up: cancelled, limited, broken off and given back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.rule import TagSelection
from replicator.service.only import Only
from replicator.store.records import RunState
from tests.service.conftest import SOURCE, rule
from tests.service.fakes import START

OTHER = "source.io/team/other"


async def taken_up(bench, of, *, only=None):
    """A run as the queue hands it out."""
    record = await bench.runs.start(of, "schedule", START)
    return replace(record, queued_at=START, attempt=1, only=only)


async def until(condition):
    while not condition():  # noqa: ASYNC110 - the fakes set no events
        await asyncio.sleep(0)


async def under_way(bench, runner, record):
    """Start a run that does not end, and return it when its copy has begun."""
    running = asyncio.create_task(runner.carry_out(record))
    await until(lambda: bench.copier.running)
    return running


async def test_a_run_is_carried_out_under_the_number_it_was_queued_with(bench):
    bench.source.put("1", "2")
    record = await taken_up(bench, rule())

    report = await bench.runner().carry_out(record)

    assert (report.run, report.state) == (record.id, RunState.SUCCEEDED)
    assert {row.run for row in bench.ledger.rows.values()} == {record.id}
    assert len(bench.runs.started) == 1


async def test_a_rule_that_is_of_no_use_fails_its_run_and_says_why(bench):
    record = await taken_up(bench, rule(tags=TagSelection(semver="not a range")))

    report = await bench.runner().carry_out(record)

    assert report.state is RunState.FAILED
    assert "semver" in report.error
    assert bench.runs.finished[record.id][2] == report.error


async def test_a_run_that_somebody_cancels_ends_in_the_middle_of_a_copy(bench):
    bench.source.put("1")
    bench.copier.endless = {"1"}
    looks = asyncio.Queue()
    bench.sleep = lambda seconds: looks.get() if seconds <= 5 else asyncio.Event().wait()
    runner = bench.runner()
    record = await taken_up(bench, rule())
    alive = asyncio.create_task(runner.keep_alive())
    running = await under_way(bench, runner, record)

    bench.runs.unwanted = frozenset({record.id, "of another process"})
    looks.put_nowait("look")
    report = await running

    assert report.state is RunState.CANCELLED
    assert bench.runs.finished[record.id][0] is RunState.CANCELLED
    assert bench.runs.released == []
    alive.cancel()


async def test_one_cancelled_run_leaves_those_beside_it_alone(bench):
    bench.source.put("1")
    bench.world.content(OTHER).put("2")
    bench.copier.endless = {"1"}
    looks = asyncio.Queue()
    bench.sleep = lambda seconds: looks.get() if seconds <= 5 else asyncio.Event().wait()
    other = rule("other", source=OTHER, destinations=("other.io/mirror/app",))
    bench.runs.unwanted = frozenset({"run-1"})
    running = asyncio.create_task(bench.runner().run_all([rule(), other], trigger="test"))
    await until(lambda: "run-2" in bench.runs.finished)

    looks.put_nowait("look")
    cancelled, done = await running

    assert (cancelled.state, done.state) == (RunState.CANCELLED, RunState.SUCCEEDED)


async def test_a_run_that_is_broken_off_is_given_back_with_what_it_did(bench):
    bench.source.put("1", "2")
    bench.copier.endless = {"2"}
    runner = bench.runner()
    record = await taken_up(bench, rule())
    running = await under_way(bench, runner, record)
    await bench.copier.done.acquire()
    await asyncio.sleep(0)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert bench.runs.released == [record.id]
    assert bench.runs.finished == {}
    assert [str(tag) for _, tag in bench.ledger.rows] == ["1"]


async def test_draining_ends_what_has_begun_and_begins_nothing(bench):
    bench.source.put("1", "2", "3")
    bench.limits = replace(bench.limits, images=1)
    copying, go_on = asyncio.Event(), asyncio.Event()
    copy = bench.copier.copy

    async def slowly(order):
        copying.set()
        await go_on.wait()
        return await copy(order)

    bench.copier.copy = slowly
    runner = bench.runner()
    running = asyncio.create_task(runner.carry_out(await taken_up(bench, rule())))
    await copying.wait()
    draining = asyncio.create_task(runner.drain())
    await asyncio.sleep(0)
    assert not draining.done()

    go_on.set()
    await draining
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert len(bench.copier.orders) == 1
    assert len(bench.ledger.rows) == 1


async def test_a_limited_run_is_about_those_tags_and_does_not_discover(bench):
    bench.world.content("source.io/team/app").put("1", "2")
    bench.world.content(OTHER).put("1")
    wide = rule(
        source="source.io/team/*",
        destinations=("destination.io/mirror/{name}",),
        tags=TagSelection(min_tags=3),
    )

    report = await bench.runner().carry_out(await taken_up(bench, wide, only=(f"{SOURCE}:2",)))

    assert (report.state, report.counts["selected"]) == (RunState.SUCCEEDED, 1)
    assert [str(tag) for _, tag in bench.ledger.rows] == ["2"]
    assert bench.world.count("catalog") == 0


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
