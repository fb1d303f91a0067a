"""Questions about the past that go across runs, and rules that several people save at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import update

from replicator.errors import ConfigError
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.error_budget import GoodRun
from replicator.planning.plan import Decision
from replicator.planning.rule import Rule
from replicator.service.rules.rulebook import Rulebook
from replicator.store.database import Database
from replicator.store.history import History
from replicator.store.item_records import Piece
from replicator.store.items import Items
from replicator.store.owner import Owner
from replicator.store.queue import Queue
from replicator.store.records import Outcome, RunState, Totals
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from replicator.store.tables import run
from tests.store.values import ALPINE, DEBIAN, HOUR, NOON, a_rule, an_action


async def test_the_newest_finished_and_the_newest_good_run_of_each_rule(
    database: Database,
) -> None:
    runs, history = Runs(database, Owner.this_process()), History(database)
    ids = {}
    for number, (rule, state) in enumerate(
        [("a", RunState.SUCCEEDED), ("a", RunState.FAILED), ("b", RunState.PARTIAL)]
    ):
        record = await runs.start(a_rule(rule), "test", NOON + number * HOUR)
        await runs.finish(record.id, state, Totals(), NOON + number * HOUR)
        ids[rule, state] = record.id
    await runs.start(a_rule("a"), "test", NOON + 9 * HOUR)

    latest = await history.latest(only_good=False)
    good = await history.latest(only_good=True)

    assert {name: run.id for name, run in latest.items()} == {
        "a": ids["a", RunState.FAILED],
        "b": ids["b", RunState.PARTIAL],
    }
    assert {name: run.id for name, run in good.items()} == {"a": ids["a", RunState.SUCCEEDED]}


async def test_the_last_action_of_a_tag_and_its_run(database: Database) -> None:
    runs, history = Runs(database, Owner.this_process()), History(database)
    for reason in ("first", "second"):
        record = await runs.start(a_rule(), "test", NOON)
        await runs.save(record.id, [an_action("3.20", reason=reason)])
        await runs.finish(record.id, RunState.SUCCEEDED, Totals(), NOON)

    found = await history.last_action(ALPINE, Tag("3.20"))

    assert found is not None
    assert (found[0].id, found[1].reason) == (record.id, "second")
    assert await history.last_action(DEBIAN, Tag("3.20")) is None


async def test_what_some_runs_left_alone_is_told_up_to_so_many_of_each(database: Database) -> None:
    runs, history = Runs(database, Owner.this_process()), History(database)
    conflict = an_action(decision=Decision.CONFLICT, outcome=Outcome.UNCHANGED)
    numbers = []
    for name in ("a", "b", "c"):
        record = await runs.start(a_rule(name), "test", NOON)
        numbers.append(record.number)
        left = [replace(conflict, tag=Tag(f"{name}{number}")) for number in range(3)]
        await runs.save(record.id, [*left, an_action("copied", outcome=Outcome.WRITTEN)])

    found = await history.left_alone(numbers[:2], most=2)

    assert {number: [str(each.tag) for each in left] for number, left in found.items()} == {
        numbers[0]: ["a0", "a1"],
        numbers[1]: ["b0", "b1"],
    }


async def test_rules_are_deferred_until_the_first_part_of_their_run_is_due(
    database: Database,
) -> None:
    queue, items = Queue(database), Items(database, Owner.this_process())
    source = RepositoryName("docker.io", "library/alpine")
    await queue.add(replace(a_rule("wide"), source="docker.io/library/*"), "person", NOON)
    (listing,) = await items.claim(NOON)
    await items.add(listing, [Piece((source,)), Piece((source,))], NOON)
    for hours in (2, 1):
        (claim,) = await items.claim(NOON)
        await items.defer(claim, NOON + hours * HOUR)
    await queue.add(a_rule("other"), "person", NOON)

    assert await History(database).deferred_until() == {"wide": NOON + HOUR}


async def test_of_two_rivals_that_are_saved_at_once_one_is_refused(database: Database) -> None:
    books = [Rulebook(Rules(database), ()) for _ in range(2)]
    rivals = [replace(a_rule(), name=name) for name in ("one", "two")]

    done = await asyncio.gather(
        *(book.add(rule) for book, rule in zip(books, rivals, strict=True)),
        return_exceptions=True,
    )

    assert sorted(type(each) for each in done if isinstance(each, Exception)) == [ConfigError]
    assert [type(each) for each in done].count(Rule) == 1
    assert len(await Rules(database).all()) == 1


async def test_what_a_rewrite_refuses_leaves_all_as_it_was(database: Database) -> None:
    rules = Rules(database)
    await rules.put(a_rule())

    def refuse(kept: tuple[Rule, ...]) -> tuple[Rule, ...]:
        raise ConfigError("no")

    with pytest.raises(ConfigError):
        await rules.rewrite(refuse)

    assert [rule.name for rule in await rules.all()] == ["base-images"]


async def test_the_good_runs_of_some_rules_and_the_one_before(database: Database) -> None:
    runs, history = Runs(database, Owner.this_process()), History(database)
    for number, (rule, state) in enumerate(
        [
            ("a", RunState.SUCCEEDED),
            ("a", RunState.SUCCEEDED),
            ("a", RunState.FAILED),
            ("a", RunState.SUCCEEDED),
            ("b", RunState.SUCCEEDED),
            ("a", RunState.SUCCEEDED),
        ]
    ):
        began = NOON + number * HOUR
        record = await runs.start(a_rule(rule), "test", began)
        await runs.finish(record.id, state, Totals(), began + HOUR / 2)
        if number == 3:
            limited = update(run).where(run.c.id == record.id).values(only=[str(ALPINE)])
            async with database.writing() as connection:
                await connection.execute(limited)
    await runs.start(a_rule("a"), "test", NOON + 9 * HOUR)

    found = await history.good_runs({"a", "c"}, NOON + 2 * HOUR)

    assert found == {
        "a": (
            GoodRun(NOON + HOUR, NOON + 1.5 * HOUR),
            GoodRun(NOON + 5 * HOUR, NOON + 5.5 * HOUR),
        )
    }
