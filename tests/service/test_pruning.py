"""Runs that remove what the source no longer has, and all the cases in which they do not."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from replicator.errors import (
    Denied,
    LeaseLost,
    NotARegistry,
    NotFound,
    RegistryUnavailable,
    Unauthorized,
)
from replicator.events import RequestKind
from replicator.oci.reference import Tag
from replicator.planning.plan import Decision
from replicator.planning.rule import Prune, TagSelection
from replicator.store.records import Outcome, RunState
from tests.service.conftest import DESTINATION, SOURCE, rule

HEAD = RequestKind.MANIFEST_HEAD


def mirror(**changes):
    return rule(**{"prune": Prune.MIRROR, "prune_after": timedelta(hours=1), **changes})


async def published(bench, *tags, **changes):
    bench.source.put(*tags)
    await bench.run(mirror(**changes))


async def twice(bench, **changes):
    """Run, let enough time pass, and run again; return the second report."""
    await bench.run(mirror(**changes))
    bench.clock.pass_time(hours=2)
    return await bench.run(mirror(**changes))


async def test_a_tag_is_removed_by_the_second_run_that_misses_it(bench):
    await published(bench, "1.0", "1.1")
    del bench.source.tags[Tag("1.0")]

    first = await bench.run(mirror())
    soon = await bench.run(mirror())
    bench.clock.pass_time(hours=2)
    late = await bench.run(mirror())

    assert [each.counts["pruned"] for each in (first, soon, late)] == [0, 0, 1]
    assert (first.counts["gone"], first.state) == (1, RunState.SUCCEEDED)
    assert set(bench.destination.tags) == {"1.1"}
    action = bench.runs.actions[late.run, DESTINATION, "1.0"]
    assert (action.decision, action.outcome) == (Decision.PRUNE, Outcome.WRITTEN)
    assert bench.notes.kept["rule"].missing == {}
    assert [str(tag) for _, tag in bench.ledger.rows] == ["1.1"]


async def test_without_being_asked_to_nothing_is_removed(bench):
    await published(bench, "1.0", "1.1")
    del bench.source.tags[Tag("1.0")]

    report = await twice(bench, prune=Prune.OFF)

    assert report.counts["pruned"] == 0
    assert set(bench.destination.tags) == {"1.0", "1.1"}


async def test_a_tag_that_comes_back_starts_anew(bench):
    await published(bench, "1.0", "1.1")
    digest = bench.source.tags.pop(Tag("1.0"))
    await bench.run(mirror())
    bench.source.tags[Tag("1.0")] = digest
    await bench.run(mirror())
    del bench.source.tags[Tag("1.0")]
    bench.clock.pass_time(hours=2)

    report = await bench.run(mirror())

    assert report.counts["pruned"] == 0
    assert Tag("1.0") in bench.destination.tags


async def test_what_the_rule_no_longer_selects_but_the_source_has_stays(bench):
    await published(bench, "1.0", "1.1")

    await twice(bench, tags=("1.1*",))

    assert set(bench.destination.tags) == {"1.0", "1.1"}


async def test_what_others_put_there_stays(bench):
    await published(bench, "1.0", "1.1")
    bench.destination.put("9.9")

    await twice(bench)

    assert set(bench.destination.tags) == {"1.0", "1.1", "9.9"}


async def test_a_tag_that_somebody_else_moved_stays_and_is_a_conflict(bench):
    await published(bench, "1.0", "1.1")
    del bench.source.tags[Tag("1.0")]
    await bench.run(mirror())
    bench.destination.put("1.0", content="theirs")
    bench.clock.pass_time(hours=2)

    report = await bench.run(mirror())

    assert (report.counts["conflict"], report.counts["pruned"]) == (1, 0)
    assert Tag("1.0") in bench.destination.tags


def when_first_deleted(bench, act):
    """Let *act* happen while the first tag of a run is deleted, when all have been judged."""

    def meanwhile(kind, repository, tag):
        if kind is RequestKind.MANIFEST_DELETE:
            bench.world.meanwhile = lambda *request: None
            act()

    bench.world.meanwhile = meanwhile


async def test_a_tag_that_somebody_else_moves_before_the_end_of_the_run_stays(bench):
    await published(bench, "1.0", "1.1", "1.2")
    del bench.source.tags[Tag("1.0")], bench.source.tags[Tag("1.1")]
    await bench.run(mirror())
    bench.clock.pass_time(hours=2)
    when_first_deleted(bench, lambda: bench.destination.put("1.1", content="theirs"))

    report = await bench.run(mirror())

    assert (report.counts["pruned"], report.counts["conflict"]) == (1, 1)
    assert set(bench.destination.tags) == {"1.1", "1.2"}


async def test_who_may_have_been_taken_for_dead_removes_nothing(bench):
    await published(bench, "1.0", "1.1", "1.2")
    del bench.source.tags[Tag("1.0")], bench.source.tags[Tag("1.1")]
    await bench.run(mirror())
    bench.clock.pass_time(hours=2)
    lost = []
    when_first_deleted(bench, lambda: lost.append(True))

    def require_lease():
        if lost:
            raise LeaseLost("no sign of life was given for too long")

    report = await bench.runner(require_lease=require_lease).run(mirror(), trigger="test")

    assert report.error == "no sign of life was given for too long"
    assert set(bench.destination.tags) == {"1.1", "1.2"}


async def test_more_than_allowed_waits_for_a_person_and_says_how(bench):
    await published(bench, "0.1", "0.2", "0.3", "1.0")
    for tag in ("0.1", "0.2", "0.3"):
        del bench.source.tags[Tag(tag)]

    report = await twice(bench, max_prune=2)

    assert (report.counts["blocked"], report.counts["pruned"]) == (3, 0)
    assert "3 tags would be removed, more than max_prune = 2" in report.failures[0].error.message
    assert "apply-plan" in report.failures[0].error.message
    assert len(bench.destination.tags) == 4


async def test_all_of_it_waits_for_a_person_too(bench):
    await published(bench, "1.0", "1.1")
    bench.source.tags.clear()
    bench.source.put("2.0")

    report = await twice(bench, tags=("1.*",), allow_empty=True)

    assert (report.counts["blocked"], report.counts["pruned"]) == (2, 0)


async def test_a_destination_that_cannot_delete_a_tag_alone_is_told(bench, monkeypatch):
    await published(bench, "1.0", "1.1")
    del bench.source.tags[Tag("1.0")]
    monkeypatch.setattr("tests.service.fakes.FakeRepository.deletes_tags", False)

    report = await twice(bench)

    assert (report.counts["blocked"], report.state) == (1, RunState.PARTIAL)
    assert "deleting by digest could take other tags with it" in report.failures[0].error.message


async def test_what_a_proxy_does_not_list_is_not_gone(bench, monkeypatch):
    await published(bench, "1.0", "1.1")
    del bench.source.tags[Tag("1.0")]
    monkeypatch.setattr("tests.service.fakes.FakeRepository.is_proxy", True)

    await twice(bench)

    assert set(bench.destination.tags) == {"1.0", "1.1"}


async def test_a_plan_shows_what_would_be_removed_and_what_waits(bench):
    await published(bench, "1.0", "1.1")
    del bench.source.tags[Tag("1.0")]
    early = await bench.run(mirror(), dry_run=True)
    await bench.run(mirror())
    bench.clock.pass_time(hours=2)

    late = await bench.run(mirror(), dry_run=True)

    shown = [{str(each.tag): each.decision for each in report.actions} for report in (early, late)]
    assert [each["1.0"] for each in shown] == [Decision.SKIP, Decision.PRUNE]
    assert len(bench.destination.tags) == 2


# F-09 to F-11: what a list that is not to be believed looks like.
def an_empty_list(bench):
    bench.source.tags.clear()


def a_repository_that_is_gone(bench):
    del bench.world.contents[next(name for name in bench.world.contents if "team" in str(name))]


def a_list_that_breaks_off(bench):
    bench.world.page_size = 1
    bench.world.breaks_after[SOURCE] = 1


def listing_answers(error):
    def misbehave(bench):
        bench.world.broken[RequestKind.TAGS, SOURCE, None] = error

    return misbehave


def asking_answers(error):
    def misbehave(bench):
        bench.world.broken[HEAD, SOURCE, Tag("1.0")] = error

    return misbehave


@pytest.mark.parametrize(
    "misbehave",
    [
        an_empty_list,
        a_repository_that_is_gone,
        a_list_that_breaks_off,
        listing_answers(NotFound("404", status=404, codes=("NAME_UNKNOWN",))),
        listing_answers(Unauthorized("401", status=401)),
        listing_answers(Denied("403", status=403)),
        listing_answers(RegistryUnavailable("503", status=503)),
        listing_answers(NotARegistry("a web page")),
        asking_answers(NotFound("404", status=404, codes=("NAME_UNKNOWN",))),
        asking_answers(Unauthorized("401", status=401)),
        asking_answers(Denied("403", status=403)),
        asking_answers(RegistryUnavailable("503", status=503)),
    ],
)
async def test_no_list_or_answer_that_may_be_wrong_removes_anything(bench, misbehave):
    await published(bench, "1.0", "1.1", "1.2")
    del bench.source.tags[Tag("1.0")]
    misbehave(bench)

    for _ in range(3):
        await bench.run(mirror())
        bench.clock.pass_time(hours=2)

    assert set(bench.destination.tags) == {"1.0", "1.1", "1.2"}
    assert bench.world.count(RequestKind.MANIFEST_DELETE) == 0


async def test_a_tag_that_the_list_forgot_stays(bench, monkeypatch):
    await published(bench, "1.0", "1.1")
    hidden = bench.source.tags[Tag("1.0")]

    class Forgetful(dict):
        def __iter__(self):
            return (tag for tag in super().__iter__() if tag != "1.0")

    bench.source.tags = Forgetful(bench.source.tags)

    report = await twice(bench)

    assert report.counts["pruned"] == 0
    assert bench.destination.tags[Tag("1.0")] == hidden


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_happens_nothing_goes_that_was_not_missed_twice(bench, seed):
    """Tags come and go, lists break, others write; each removal is held against what was true."""
    chance = random.Random(seed)
    names = [f"1.{number}" for number in range(5)]
    missed_since = {}
    bench.source.put(*names)
    for _ in range(25):
        change_something(bench, chance, names)
        bench.world.broken = chance.choice([{}, {}, *TROUBLES])
        if TROUBLES[0] is not bench.world.broken and bench.source.tags:
            gone = [name for name in names if name not in bench.source.tags]
            missed_since = {name: missed_since.get(name, bench.clock.now) for name in gone}
        before = dict(bench.destination.tags)
        ours = {tag: row.digest for (_, tag), row in bench.ledger.rows.items()}

        await bench.run(mirror(allow_empty=True))

        for tag in before.keys() - bench.destination.tags.keys():
            assert bench.clock.now - missed_since[tag] >= timedelta(hours=1)
            assert tag not in bench.source.tags
            assert before[tag] == ours[tag]
        bench.clock.pass_time(minutes=chance.choice([5, 40, 90]))


TROUBLES = [
    {(RequestKind.TAGS, SOURCE, None): RegistryUnavailable("503", status=503)},
    {(HEAD, SOURCE, Tag("1.0")): Denied("403", status=403)},
    {(HEAD, DESTINATION, Tag("1.1")): RegistryUnavailable("503", status=503)},
]


def change_something(bench, chance, names):
    for name in names:
        if chance.random() < 0.2:
            bench.source.tags.pop(Tag(name), None)
        elif chance.random() < 0.2:
            bench.source.put(name, content=f"{name}{chance.randrange(2)}")
        if chance.random() < 0.05:
            bench.destination.put(name, content="theirs")


async def test_a_selection_below_its_guard_removes_nothing(bench):
    await published(bench, "1.0", "1.1", "1.2")
    del bench.source.tags[Tag("1.0")]

    report = await twice(bench, tags=TagSelection(min_tags=3))

    assert report.error == "2 tags are selected, fewer than min_tags = 3"
    assert set(bench.destination.tags) == {"1.0", "1.1", "1.2"}
