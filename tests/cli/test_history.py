"""How long a run took, and how long it waited for somebody to begin it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from replicator.cli.history import run_fields, run_row
from replicator.planning.rule import Rule
from replicator.store.records import RunRecord, RunState

QUEUED = datetime(2026, 3, 14, 3, tzinfo=UTC)
RULE = Rule("app", "quay.io/acme/app", ("a.example/app",))


def a_run(state, started_after, finished_after, **about):
    return RunRecord(
        "20260314-030000-k3f9x2ab",
        1,
        RULE,
        "schedule",
        state,
        "worker-1",
        QUEUED + timedelta(seconds=started_after),
        QUEUED + timedelta(seconds=finished_after),
        **about,
    )


def test_the_wait_for_a_worker_is_shown_apart_from_what_the_run_took():
    run = a_run(RunState.SUCCEEDED, 90, 92, queued_at=QUEUED, attempt=1)

    assert dict(run_fields(run)).items() >= {"waited": "1:30 for a worker", "took": "2.0 s"}.items()
    assert "2.0 s" in run_row(run)


def test_a_run_that_ended_in_the_queue_took_nothing():
    run = a_run(RunState.CANCELLED, 0, 60, queued_at=QUEUED)

    assert dict(run_fields(run)).items() >= {"waited": "", "took": "-"}.items()


def test_whoever_runs_a_rule_by_hand_waits_for_nobody():
    assert dict(run_fields(a_run(RunState.SUCCEEDED, 0, 3)))["waited"] == ""
