"""A tag that fails keeps its own pause and stays visible; the others go on."""

from __future__ import annotations

import pytest

from replicator.errors import (
    Denied,
    InvalidManifest,
    PullsSpent,
    ReferrerFailed,
    RegistryUnavailable,
    StoreError,
    Unauthorized,
)
from replicator.events import RequestKind
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.plan import Decision
from replicator.service.records.report import exit_code
from replicator.store.records import RunState
from tests.service.conftest import DESTINATION, SOURCE, rule

KEY = (RepositoryName.parse(DESTINATION), Tag("1.0"))
BROKEN = (InvalidManifest("not a manifest"), "source")


async def failed(bench, times, error=BROKEN):
    """Let 1.0 fail so many times, each when it is due, while 2.0 is fine."""
    bench.source.put("1.0", "2.0")
    bench.copier.failing["1.0"] = error
    for _ in range(times):
        report = await bench.run(rule())
        bench.clock.now = max(bench.clock.now, bench.notes.kept["rule"].failing[KEY].next_try_at)
    return report


async def test_the_first_failure_is_tried_again_by_the_next_run(bench):
    await failed(bench, 1)

    await bench.run(rule())

    assert [str(order.reference) for order in bench.copier.orders] == ["1.0"]


async def test_a_tag_that_failed_again_waits_and_says_until_when(bench):
    await failed(bench, 3)
    bench.clock.now = bench.notes.kept["rule"].failing[KEY].failed_at

    report = await bench.run(rule())

    assert bench.copier.orders == []
    assert (report.state, exit_code([report])) == (RunState.PARTIAL, 3)
    assert (report.counts["blocked"], report.counts["skipped"]) == (1, 1)
    (failure,) = report.failures
    assert failure.error.message == (
        "failed 3 times, not tried again before 2025-06-01 00:15 UTC; last: not a manifest"
    )
    action = bench.runs.actions[report.run, DESTINATION, "1.0"]
    assert (action.decision, action.reason) == (Decision.BLOCKED, failure.error.message)


async def test_when_nothing_else_is_selected_a_waiting_tag_still_makes_the_run_partial(bench):
    await failed(bench, 2)
    bench.clock.now = bench.notes.kept["rule"].failing[KEY].failed_at

    report = await bench.run(rule(tags=("1.0",)))

    assert exit_code([report]) == 3


async def test_it_is_tried_when_it_is_due_and_forgotten_once_it_is_well(bench):
    await failed(bench, 3)
    del bench.copier.failing["1.0"]

    report = await bench.run(rule())

    assert (report.state, report.counts["copied"]) == (RunState.SUCCEEDED, 1)
    assert bench.notes.kept["rule"].failing == {}


async def test_whoever_asks_for_it_does_not_wait(bench):
    await failed(bench, 3)
    bench.clock.now = bench.notes.kept["rule"].failing[KEY].failed_at
    del bench.copier.failing["1.0"]

    report = await bench.run(rule(), retry=True)

    assert report.counts["copied"] == 1


def of_a_referrer(reason):
    error = ReferrerFailed(f"the referrers cannot be read: {reason}", side="source")
    error.__cause__ = reason
    return error


@pytest.mark.parametrize(
    "error",
    [
        RegistryUnavailable("503", status=503),
        Unauthorized("401"),
        PullsSpent("429", retry_after=60.0),
        StoreError("the database is locked"),
        of_a_referrer(RegistryUnavailable("503", status=503)),
    ],
)
async def test_what_is_not_the_tags_fault_makes_no_pause_but_is_counted(bench, error):
    await failed(bench, 4, (error, "destination"))

    await bench.run(rule())
    note = bench.notes.kept["rule"].failing[KEY]

    assert len(bench.copier.orders) == 1
    assert (note.failures, note.since) == (5, bench.clock.now)


async def test_a_plan_shows_who_waits_and_changes_no_note(bench):
    await failed(bench, 2, (Denied("403", status=403), "destination"))
    bench.clock.now = bench.notes.kept["rule"].failing[KEY].failed_at
    before = bench.notes.kept["rule"]

    report = await bench.run(rule(), dry_run=True)

    assert {str(each.tag): each.decision for each in report.actions} == {
        "1.0": Decision.BLOCKED,
        "2.0": Decision.SKIP,
    }
    assert bench.notes.kept["rule"] is before


async def test_a_failing_tag_that_is_gone_from_the_source_is_forgotten(bench):
    await failed(bench, 3)
    del bench.source.tags[Tag("1.0")]

    await bench.run(rule())

    assert bench.notes.kept["rule"].failing == {}


async def test_while_the_list_breaks_off_nothing_is_forgotten(bench):
    await failed(bench, 3)
    del bench.source.tags[Tag("1.0")]
    bench.world.broken[RequestKind.TAGS, SOURCE, None] = RegistryUnavailable("503", status=503)

    await bench.run(rule())

    assert KEY in bench.notes.kept["rule"].failing
