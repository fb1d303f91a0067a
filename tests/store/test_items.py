"""Items: each is one worker's at a time, and none is forgotten when that is gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.errors import LeaseLost
from replicator.oci.reference import RepositoryName, Tag
from replicator.store.database import Database
from replicator.store.item_records import ItemKind, Piece
from replicator.store.items import Items
from replicator.store.ledger import Ledger
from replicator.store.owner import Owner
from replicator.store.queue import SCHEDULE, Queue
from replicator.store.reaper import Reaper
from replicator.store.records import Outcome, RunState, Totals
from replicator.store.runs import Runs
from replicator.store.standing import standing
from replicator.store.work_tables import MOST_LOSSES
from tests.store.values import HOUR, NOON, a_rule, an_action, published

ELSEWHERE = Owner("other-host", "another-boot:another-namespace", 17, "12345")
OVER = timedelta(seconds=-1)


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


@pytest.fixture
def items(database: Database) -> Items:
    return Items(database, Owner.this_process())


@pytest.fixture
def lost(database: Database) -> Items:
    """Those of a worker whose lease is over as soon as it has something."""
    return Items(database, ELSEWHERE, lease=OVER)


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database, Owner.this_process())


def wide(name="wide"):
    """A rule whose repositories have to be found."""
    return replace(a_rule(name), source="docker.io/library/*", destinations=("a.io/{repository}",))


def pieces(*names):
    return [Piece((RepositoryName("docker.io", f"library/{name}"),)) for name in names]


async def one(items, now=NOON):
    (claim,) = await items.claim(now)
    return claim


async def test_the_repositories_that_a_rule_names_are_items_at_once(queue, items, runs):
    added = await queue.add(a_rule(), "person", NOON)

    claim = await one(items, NOON + HOUR)

    assert (claim.run_id, claim.kind, claim.begins) == (added.id, ItemKind.COPYING, True)
    assert claim.piece.repositories == (RepositoryName.parse("docker.io/library/alpine"),)
    assert await items.claim(NOON) == []
    record, _ = await runs.show(added.id)
    assert (record.state, record.started_at) == (RunState.RUNNING, NOON + HOUR)


async def test_others_are_found_by_a_worker_whose_items_the_rest_share(queue, items):
    await queue.add(wide(), "person", NOON)
    listing = await one(items)

    await items.add(listing, pieces("alpine", "debian"), NOON)
    found = [await one(items), await one(items)]

    assert listing.kind is ItemKind.LISTING
    assert [each.piece for each in found] == pieces("alpine", "debian")
    assert await items.known_repositories(listing) == {
        "docker.io/library/alpine",
        "docker.io/library/debian",
    }


async def test_workers_that_ask_at_once_get_different_items(queue, items):
    for number in range(10):
        await queue.add(a_rule(f"rule-{number}"), "person", NOON)

    found = [
        claim
        for got in await asyncio.gather(*(items.claim(NOON) for _ in range(10)))
        for claim in got
    ]
    while claims := await items.claim(NOON):
        found += claims

    assert len(found) == len({claim.run for claim in found}) == 10


async def test_what_a_person_asked_for_goes_before_what_is_due(queue, items):
    await queue.add(a_rule("due"), SCHEDULE, NOON)
    await queue.add(a_rule("asked"), "command line", NOON + HOUR)

    assert (await one(items)).rule == "asked"


async def test_rules_take_turns_however_many_items_one_has(queue, items):
    await queue.add(wide(), "person", NOON)
    await items.add(await one(items), pieces(*map(str, range(50))), NOON)
    for _ in range(10):
        await one(items)

    await queue.add(wide("late"), "person", NOON)
    late = next(claim for claim in [await one(items), await one(items)] if claim.rule == "late")
    await items.add(late, pieces("a", "b", "c"), NOON)
    order = [(await one(items)).rule for _ in range(7)]

    assert order.count("late") == 3


async def test_the_last_item_of_a_run_is_followed_by_its_closing(queue, items, runs, database):
    added = await queue.add(wide(), "person", NOON)
    listing = await one(items)
    await items.add(listing, pieces("alpine"), NOON)
    copying = await one(items)

    assert await items.finish(listing, {"counts": {"failed": 1}}, NOON) is None
    closing = await items.finish(copying, {"counts": {"copied": 2}}, NOON)
    found = await items.summaries(closing)
    await items.close(closing, RunState.PARTIAL, Totals({"copied": 2}), NOON + HOUR, error="")

    assert closing.kind is ItemKind.CLOSING
    assert list(found) == [{"counts": {"failed": 1}}, {"counts": {"copied": 2}}]
    record, _ = await runs.show(added.id)
    assert (record.state, record.finished_at) == (RunState.PARTIAL, NOON + HOUR)
    now = await standing(database)
    assert (now.items_waiting, now.items_under_way) == (0, 0)


async def test_of_items_that_end_at_once_only_the_one_that_was_lost_is_refused(queue, items):
    added = await queue.add(wide(), "person", NOON)
    listing = await one(items)
    await items.add(listing, pieces("a", "b", "c"), NOON)
    await items.finish(listing, {}, NOON)
    claims = await items.claim(NOON, limit=3)
    await items.release(claims[1], NOON)
    again = await one(items)

    ended = await asyncio.gather(
        *(items.finish(claim, {"counts": {"copied": claim.n}}, NOON) for claim in claims),
        return_exceptions=True,
    )
    closing = await items.finish(again, {}, NOON)

    assert [type(each) for each in ended] == [type(None), LeaseLost, type(None)]
    assert (closing.run_id or closing.run, closing.kind) == (added.number, ItemKind.CLOSING)
    assert list(await items.summaries(closing)) == [
        {},
        {"counts": {"copied": 1}},
        {},
        {"counts": {"copied": 3}},
    ]


async def test_items_that_are_the_last_together_are_followed_by_one_closing(queue, items):
    runs = [await queue.add(wide(f"wide-{n}"), "person", NOON) for n in range(3)]
    claims = await items.claim(NOON, limit=3)
    for claim in claims:
        await items.add(claim, pieces("a", "b"), NOON)
    claims = [*claims, *await items.claim(NOON, limit=6)]

    ended = await asyncio.gather(*(items.finish(claim, {}, NOON) for claim in claims))

    closings = [each for each in ended if each is not None]
    assert sorted(each.run for each in closings) == [each.number for each in runs]
    assert await items.claim(NOON) == []


async def test_a_closing_that_its_maker_never_made_is_found(queue, items, database):
    added = await queue.add(a_rule(), "person", NOON)
    claim = await one(items)
    items._open_closing = dies
    with pytest.raises(RuntimeError):
        await items.finish(claim, {}, NOON)

    await Reaper(database).reap(NOON)

    claim = await one(Items(database, ELSEWHERE))
    assert (claim.run_id, claim.kind) == (added.id, ItemKind.CLOSING)


async def dies(*_):
    raise RuntimeError


async def test_an_item_of_a_worker_that_is_gone_is_anothers_and_its_writes_are_refused(
    database, queue, lost, items
):
    await queue.add(a_rule(), "person", NOON)
    before = await one(lost)

    await Reaper(database).reap(NOON + HOUR)
    after = await one(items)

    assert (after.n, after.attempt, after.losses) == (before.n, before.attempt + 1, 1)
    assert await lost.taken({before.key}) == {before.key}
    for write in (
        lost.save(before, [an_action()]),
        lost.finish(before, {}, NOON),
        lost.release(before, NOON),
        lost.defer(before, NOON + HOUR),
        lost.add(before, pieces("alpine"), NOON),
        lost.close(before, RunState.SUCCEEDED, Totals(), NOON, error=""),
        lost.fenced(Ledger(database), before).record([published()], (), at=NOON),
    ):
        with pytest.raises(LeaseLost):
            await write
    assert await items.taken({after.key}) == frozenset()


async def test_a_second_attempt_of_the_same_worker_fences_the_first(queue, items):
    await queue.add(a_rule(), "person", NOON)
    before = await one(items)
    await items.release(before, NOON)
    after = await one(items)

    with pytest.raises(LeaseLost):
        await items.finish(before, {}, NOON)
    assert after.losses == 0


async def test_a_lease_that_is_renewed_goes_on(database, queue):
    theirs = Items(database, ELSEWHERE, lease=HOUR)
    await queue.add(a_rule(), "person", NOON)
    claim = await one(theirs)
    await theirs.renew(NOON, {claim.key}, {})

    await Reaper(database).reap(NOON)

    assert await theirs.taken({claim.key}) == frozenset()


async def test_what_a_worker_does_not_know_that_it_has_is_taken_from_it(database, queue, lost):
    """As when the connection was cut after the claim was committed, before that was known."""
    theirs = Items(database, ELSEWHERE, lease=HOUR)
    for name in ("known", "unknown"):
        await queue.add(a_rule(name), "person", NOON)
    known, unknown = await one(lost), await one(lost)
    await theirs.renew(NOON, {known.key}, {})

    await Reaper(database).reap(NOON)

    assert await theirs.taken({known.key, unknown.key}) == {unknown.key}


async def test_a_closing_is_its_workers_while_it_goes_on(queue, items):
    await queue.add(a_rule(), "person", NOON)
    closing = await items.finish(await one(items), {}, NOON)

    await items.renew(NOON, {closing.key}, {})

    assert closing.kind is ItemKind.CLOSING
    assert await items.taken({closing.key}) == frozenset()


async def test_an_item_that_ends_its_workers_is_given_up(database, queue, lost, items):
    await queue.add(a_rule(), "person", NOON)
    for _ in range(MOST_LOSSES):
        await one(lost)
        await Reaper(database).reap(NOON + HOUR)
    await Reaper(database).reap(NOON + HOUR)

    closing = await one(items)

    (summary,) = await items.summaries(closing)
    assert closing.kind is ItemKind.CLOSING
    assert summary["counts"] == {"failed": 1}
    assert summary["error"] == (
        "interrupted: process 17 on other-host ended before the run did, as 3 did"
    )


async def test_of_those_that_were_lost_together_only_the_one_that_is_lost_alone_is_given_up(
    database, queue, lost, items
):
    """Each process ends that has the item "poison"; it takes the others with it twice."""
    added = await queue.add(wide(), "person", NOON)
    listing = await one(items)
    await items.add(listing, pieces("a", "b", "c", "poison"), NOON)
    await items.finish(listing, {}, NOON)
    done = []
    while (claims := await lost.claim(NOON, limit=8))[0].kind is not ItemKind.CLOSING:
        if any("poison" in str(claim.piece.repositories) for claim in claims):
            await Reaper(database).reap(NOON + HOUR)
            continue
        for claim in claims:
            done.append(claim)
            await lost.finish(claim, {"counts": {"copied": 1}}, NOON)

    summaries = await items.summaries(claims[0])
    assert claims[0].run_id == added.id
    assert [claim.losses for claim in done] == [MOST_LOSSES - 1] * 3
    assert sum(each.get("counts", {}).get("copied", 0) for each in summaries) == 3
    assert [each["counts"] for each in summaries if "error" in each] == [{"failed": 1}]


async def test_who_has_an_item_in_the_last_try_gets_no_other_like_it(database, queue, lost, items):
    for name in ("first", "second"):
        await queue.add(a_rule(name), "person", NOON)
    for _ in range(MOST_LOSSES - 1):
        assert len(await lost.claim(NOON, limit=8)) == 2
        await Reaper(database).reap(NOON + HOUR)
    await queue.add(a_rule("third"), "person", NOON)

    found = [await items.claim(NOON, limit=8, last_try=is_free) for is_free in (True, False, True)]

    assert [sorted(claim.rule for claim in claims) for claims in found] == [
        ["first", "third"],
        [],
        ["second"],
    ]


async def test_a_closing_that_ends_its_workers_ends_the_run(database, queue, lost, items, runs):
    added = await queue.add(a_rule(), "person", NOON)
    assert (await lost.finish(await one(lost), {}, NOON)).kind is ItemKind.CLOSING
    for _ in range(MOST_LOSSES):
        await Reaper(database).reap(NOON + HOUR)
        await lost.claim(NOON)

    record, _ = await runs.show(added.id)
    assert record.state is RunState.FAILED
    assert "interrupted" in record.error


async def test_what_is_put_off_waits_until_it_is_due(database, queue, items, runs):
    added = await queue.add(a_rule(), "person", NOON)
    await items.defer(await one(items), NOON + HOUR, {"held": 1})
    shown, _ = await runs.show(added.id)

    await Reaper(database).reap(NOON)
    early = await items.claim(NOON)
    await Reaper(database).reap(NOON + HOUR)
    claim = await one(items)

    assert early == []
    assert shown.deferred_until == NOON + HOUR
    assert await items.summary(claim) == {"held": 1}


async def test_a_repository_is_shared_at_once_or_not_at_all(queue, items):
    await queue.add(a_rule(), "person", NOON)
    claim = await one(items)
    (name,) = claim.piece.repositories

    others = [Piece((name,), {Tag("3"): None})]
    await items.split(claim, {Tag("1"): None}, others, {"published": 5}, NOON)
    other = await one(items)
    await items.release(claim, NOON)
    again = await one(items)

    assert other.piece.tags == {Tag("3"): None}
    assert again.piece.tags == {Tag("1"): None}
    assert await items.summary(again) == {"published": 5}


async def test_what_an_item_copied_is_known_to_its_next_owner(queue, items):
    await queue.add(wide(), "person", NOON)
    listing = await one(items)
    await items.add(listing, pieces("alpine", "alpine2"), NOON)
    alpine, other = await one(items), await one(items)
    copied = an_action(tag="3", source="docker.io/library/alpine:3", outcome=Outcome.WRITTEN)
    await items.save(alpine, [copied, replace(copied, tag=Tag("4"), outcome=Outcome.UNCHANGED)])
    await items.save(other, [replace(copied, tag=Tag("5"), source="docker.io/library/alpine2:5")])

    await items.release(alpine, NOON)

    assert await items.copied(await one(items)) == {(copied.destination, Tag("3"))}


async def test_a_cancelled_run_is_ended_by_those_who_have_items_of_it(queue, items, database, runs):
    added = await queue.add(wide(), "person", NOON)
    listing = await one(items)
    await items.add(listing, pieces("alpine", "debian"), NOON)

    await queue.cancel(added.id, NOON)

    assert await items.claim(NOON) == []
    assert await items.to_cancel() == {listing.key}
    closing = await items.finish(listing, {}, NOON)
    assert await items.is_cancelled(closing)
    assert await items.to_cancel() == frozenset()


async def test_a_run_whose_worker_is_gone_is_cancelled_at_once_where_nobody_serves(
    queue, lost, items
):
    added = await queue.add(a_rule(), "person", NOON)
    await one(lost)

    cancelled = await queue.cancel(added.id, NOON)

    assert cancelled.state is RunState.CANCELLED
    assert await items.claim(NOON) == []


async def test_a_cancelled_run_whose_worker_is_gone_is_closed_by_another(
    database, queue, lost, items
):
    added = await queue.add(a_rule(), "person", NOON)
    claim = await one(Items(database, ELSEWHERE, lease=HOUR))
    await queue.cancel(added.id, NOON)
    await lost.renew(NOON, [claim.key], {})

    await Reaper(database).reap(NOON + HOUR)

    closing = await one(items)
    assert (closing.kind, await items.is_cancelled(closing)) == (ItemKind.CLOSING, True)


async def test_a_run_waits_again_when_nobody_has_an_item_of_it(queue, items, runs):
    added = await queue.add(a_rule(), "person", NOON)
    await items.release(await one(items), NOON)
    waiting, _ = await runs.show(added.id)

    again = await one(items, NOON + HOUR)

    assert waiting.state is RunState.QUEUED
    assert again.begins
    record, _ = await runs.show(added.id)
    assert (record.started_at, record.attempt) == (NOON, 2)


async def messages(database):
    async with database.reading() as connection:
        rows = await connection.exec_driver_sql(
            "SELECT queueing_lock FROM procrastinate_jobs WHERE status = 'todo'"
        )
        return [row[0] for row in rows]


async def forget_messages(database):
    async with database.writing() as connection:
        await connection.exec_driver_sql("DELETE FROM procrastinate_jobs")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestMessages:
    """What the carrier has to say."""

    async def test_there_is_one_about_each_item_that_waits(self, database, queue, items):
        added = await queue.add(wide(), "person", NOON)
        waiting = await messages(database)
        listing = await one(items)
        taken_up = await messages(database)
        await items.add(listing, pieces("alpine", "debian"), NOON)

        assert (waiting, taken_up) == ([f"{added.number}/0"], [])
        assert await messages(database) == [f"{added.number}/1", f"{added.number}/2"]

    async def test_a_lost_one_is_sent_again_after_a_while_and_once(self, database, queue, items):
        added = await queue.add(a_rule(), "person", NOON)
        await forget_messages(database)

        for _ in range(2):
            await Reaper(database, grace=timedelta(0)).reap(NOON)

        assert await messages(database) == [f"{added.number}/1"]

    async def test_a_cancelled_run_takes_its_own_back(self, database, queue):
        added = await queue.add(a_rule(), "person", NOON)

        await queue.cancel(added.id, NOON)

        assert await messages(database) == []

    async def test_one_reaper_at_a_time_does_the_work(self, database, queue, lost, items):
        await queue.add(a_rule(), "person", NOON)
        await one(lost)
        async with database.writing() as connection:
            await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7267110302)")
            await Reaper(database).reap(NOON + HOUR)

        assert await items.claim(NOON) == []
