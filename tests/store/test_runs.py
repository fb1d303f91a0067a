"""Runs: one at a time for each rule, with all that became of their tags."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from replicator.errors import LeaseLost, RunActive, RunNotFound, StoreError
from replicator.oci.digest import Digest
from replicator.planning.plan import Decision
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.records import ActionError, Outcome, RunState, Totals
from replicator.store.runs import LEASE, Runs
from replicator.store.tables import run
from tests.store.values import DEBIAN, HOUR, NOON, a_rule, an_action

ELSEWHERE = Owner("other-host", "another-boot:another-namespace", 17, "12345")


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database, Owner.this_process())


async def test_a_run_is_kept_with_the_rule_as_it_was(runs: Runs) -> None:
    rule = replace(a_rule(), referrers=False, revision=4)

    started = await runs.start(rule, "cli", NOON)

    assert (started.rule, started.trigger, started.state) == (rule, "cli", RunState.RUNNING)
    assert (await runs.show(started.id)) == (started, ())


async def test_a_finished_run_has_its_totals(runs: Runs) -> None:
    started = await runs.start(a_rule(), "cli", NOON)
    totals = Totals(
        counts={"copied": 3, "unchanged": 97},
        bytes_moved=5 << 40,
        bytes_mounted=7,
        bytes_skipped=11,
        requests={"docker.io": {"manifest_head": 100, "blob_get": 9}},
    )

    await runs.finish(started.id, RunState.PARTIAL, totals, NOON + HOUR, error="3 tags failed")

    found, _ = await runs.show(started.id)
    assert found == replace(
        started,
        state=RunState.PARTIAL,
        finished_at=NOON + HOUR,
        totals=totals,
        error="3 tags failed",
    )


async def test_a_rule_has_one_run_at_a_time_and_the_other_is_named(runs: Runs) -> None:
    first = await runs.start(a_rule(), "cli", NOON)

    with pytest.raises(RunActive, match=f"has a run under way: {first.id}, in process") as refused:
        await runs.start(a_rule(), "schedule", NOON)
    assert f"`replicate runs cancel {first.id}` ends it" in str(refused.value)

    other = await runs.start(a_rule("other"), "cli", NOON)
    assert other.number > first.number


async def test_a_start_does_not_wait_for_who_is_writing_about_his_own_runs(
    database: Database,
) -> None:
    """Nor can the two wait for each other: whoever writes is not gone."""
    theirs = await Runs(database, ELSEWHERE).start(a_rule(), "cli", NOON)

    async with database.reading() as connection:
        await connection.execute(select(run).where(run.c.id == theirs.id).with_for_update())
        async with asyncio.timeout(10):
            mine = await Runs(database, Owner.this_process()).start(a_rule("other"), "cli", NOON)

    assert mine.state is RunState.RUNNING


async def test_of_many_starts_at_once_one_succeeds(database: Database) -> None:
    starts = [Runs(database, Owner.this_process()).start(a_rule(), "cli", NOON) for _ in range(8)]

    results = await asyncio.gather(*starts, return_exceptions=True)

    assert sorted(type(result).__name__ for result in results) == ["RunActive"] * 7 + ["RunRecord"]


async def test_starts_and_ends_of_one_moment_cost_a_transaction_each(
    database: Database, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions, noting = [], database.noting
    monkeypatch.setattr(database, "noting", lambda: transactions.append("one") or noting())

    begun = await asyncio.gather(
        *(runs.start(a_rule(f"rule-{number}"), "cli", NOON) for number in range(20))
    )
    await asyncio.gather(
        *(runs.finish(each.id, RunState.SUCCEEDED, Totals(), NOON + HOUR) for each in begun)
    )

    assert len(transactions) == 2
    assert [each.rule.name for each in begun] == [f"rule-{number}" for number in range(20)]
    assert {(await runs.show(each.id))[0].state for each in begun} == {RunState.SUCCEEDED}


async def test_of_several_starts_only_those_are_refused_whose_rules_have_a_run(
    runs: Runs,
) -> None:
    first = await runs.start(a_rule("b"), "cli", NOON)

    a, b, c, again = await asyncio.gather(
        *(runs.start(a_rule(name), "cli", NOON) for name in ("a", "b", "c", "c")),
        return_exceptions=True,
    )

    assert (a.rule.name, c.rule.name) == ("a", "c")
    assert first.id in str(b)
    assert c.id in str(again)


async def test_a_start_that_is_cancelled_leaves_no_unfinished_run(
    runs: Runs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, noting = asyncio.Event(), database.noting
    monkeypatch.setattr(database, "noting", lambda: begun.set() or noting())
    starting = asyncio.create_task(runs.start(a_rule(), "cli", NOON))
    await begun.wait()
    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting

    (run,) = await runs.recent()
    assert run.state is RunState.CANCELLED
    await runs.start(a_rule(), "cli", NOON)


async def test_after_a_run_is_finished_the_next_one_has_a_higher_number(runs: Runs) -> None:
    first = await runs.start(a_rule(), "cli", NOON)
    await runs.finish(first.id, RunState.SUCCEEDED, Totals(), NOON)

    second = await runs.start(a_rule(), "cli", NOON)

    assert second.number > first.number


async def test_a_run_on_another_machine_is_left_alone_while_its_lease_lasts(
    database: Database, runs: Runs
) -> None:
    elsewhere = Runs(database, ELSEWHERE)
    theirs = await elsewhere.start(a_rule(), "cli", NOON)
    await elsewhere.renew(NOON + LEASE, {theirs.id}, {})

    with pytest.raises(RunActive, match=f"{theirs.id}, in process 17 on other-host"):
        await runs.start(a_rule(), "cli", NOON + 2 * LEASE)


async def test_a_run_on_another_machine_is_ended_when_its_lease_is_over(
    database: Database, runs: Runs
) -> None:
    elsewhere = Runs(database, ELSEWHERE)
    theirs = await elsewhere.start(a_rule(), "cli", NOON)
    after = NOON + 2 * LEASE

    ours = await runs.start(a_rule("another rule"), "cli", after)

    found, _ = await runs.show(theirs.id)
    assert found.state is RunState.FAILED
    assert found.finished_at == after
    assert found.error == "interrupted: process 17 on other-host ended before the run did"
    assert ours.number > theirs.number


async def test_who_lost_a_run_can_neither_add_to_it_nor_finish_it(
    database: Database, runs: Runs
) -> None:
    elsewhere = Runs(database, ELSEWHERE)
    theirs = await elsewhere.start(a_rule(), "cli", NOON)
    await runs.start(a_rule(), "cli", NOON + 2 * LEASE)

    with pytest.raises(LeaseLost, match=theirs.id):
        await elsewhere.save(theirs.id, [an_action()])
    with pytest.raises(LeaseLost, match=theirs.id):
        await elsewhere.finish(theirs.id, RunState.SUCCEEDED, Totals(), NOON)

    found, actions = await runs.show(theirs.id)
    assert (found.state, actions) == (RunState.FAILED, ())


async def test_actions_are_kept_whole_and_come_back_by_destination(runs: Runs) -> None:
    run = await runs.start(a_rule(), "cli", NOON)
    error = ActionError("unauthorized", "docker.io: 401", "source", 401, "UNAUTHORIZED")
    failed = an_action("b", outcome=Outcome.FAILED, error=error, attempts=3)
    copied = an_action(
        "a",
        source_digest=Digest.of(b"index"),
        digest=Digest.of(b"pruned index"),
        outcome=Outcome.WRITTEN,
        attempts=1,
        bytes_moved=5 << 40,
        bytes_mounted=7,
        bytes_skipped=11,
    )
    pruned = an_action("a", destination=DEBIAN, decision=Decision.PRUNE, source="")

    await runs.save(run.id, [pruned, failed])
    await runs.save(run.id, [copied])

    assert await runs.show(run.id) == (run, (copied, failed, pruned))


@pytest.mark.parametrize("odd", ["nul \0", "half a pair \ud800", "long " * 100_000])
async def test_whatever_a_registry_answered_can_be_kept(runs: Runs, odd: str) -> None:
    run = await runs.start(a_rule(), "cli", NOON)
    error = ActionError("rejected", odd, "source", 400, odd)

    await runs.save(run.id, [an_action(outcome=Outcome.FAILED, error=error, reason=odd)])
    await runs.finish(run.id, RunState.FAILED, Totals(), NOON, error=odd)

    found, (action,) = await runs.show(run.id)
    assert action.error is not None
    for kept in (found.error, action.reason, action.error.message, action.error.code):
        assert kept.startswith(odd[:4])
        assert len(kept) <= 2000


async def test_an_outcome_takes_the_place_of_what_was_planned(runs: Runs) -> None:
    run = await runs.start(a_rule(), "cli", NOON)
    planned = [an_action(str(number)) for number in range(3)]
    await runs.save(run.id, planned)
    written = replace(planned[1], outcome=Outcome.WRITTEN, digest=Digest.of(b"image"))

    await runs.save(run.id, [written])

    assert (await runs.show(run.id))[1] == (planned[0], written, planned[2])


async def test_a_failed_action_needs_its_error(runs: Runs) -> None:
    run = await runs.start(a_rule(), "cli", NOON)

    with pytest.raises(StoreError):
        await runs.save(run.id, [an_action(outcome=Outcome.FAILED)])


async def test_the_newest_runs_come_first_and_can_be_those_of_one_rule(runs: Runs) -> None:
    ids = []
    for name in ("a", "b", "a", "b"):
        run = await runs.start(a_rule(name), "cli", NOON)
        await runs.finish(run.id, RunState.SUCCEEDED, Totals(), NOON)
        ids.append(run.id)

    assert [run.id for run in await runs.recent()] == ids[::-1]
    assert [run.id for run in await runs.recent(rule="a")] == [ids[2], ids[0]]
    assert [run.id for run in await runs.recent(limit=1)] == [ids[3]]


async def test_the_beginning_of_an_id_is_enough_when_it_is_unique(runs: Runs) -> None:
    morning = await runs.start(a_rule("morning"), "cli", NOON - 4 * HOUR)
    await runs.start(a_rule("noon"), "cli", NOON)

    assert (await runs.show("20260314-08"))[0] == morning
    with pytest.raises(RunNotFound, match="several runs begin with '20260314', such as"):
        await runs.show("20260314")
    for unknown in ("20270101", "%", "_" * 24):
        with pytest.raises(RunNotFound, match="there is no run"):
            await runs.show(unknown)
