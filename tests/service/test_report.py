"""What programs read of a run."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from replicator.errors import ContentMismatch, PullsSpent, RateLimited, ReferrerFailed
from replicator.service.records.report import (
    COUNTS,
    RunReport,
    TagCopied,
    TagFailure,
    count_of,
    describe_error,
    exit_code,
    to_json,
)
from replicator.store.records import ActionError, RunState
from replicator.transfer.order import Tally
from tests.service.fakes import START


def report(state: RunState) -> RunReport:
    return RunReport("base", state, START, START + timedelta(seconds=1.5))


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([], 0),
        (["succeeded"], 0),
        (["partial"], 3),
        (["failed"], 1),
        (["cancelled"], 1),
        (["empty"], 4),
        (["succeeded", "empty"], 4),
        (["partial", "empty", "succeeded"], 3),
        (["partial", "failed", "empty"], 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst_run(states, code):
    assert exit_code(report(RunState(state)) for state in states) == code


def test_the_report_has_these_fields():
    failure = TagFailure("a.io/x:1", "b.io/x", "1", ActionError("denied", "403", "destination"))
    run = RunReport(
        "base",
        RunState.PARTIAL,
        START,
        START + timedelta(seconds=1.5),
        "run-1",
        {"copied": 1},
        Tally(1, 2, 3, 4, 5, 6),
        {"a.io": {"tags": 1}},
        (failure,),
        copied=(TagCopied("a.io/x:2", "b.io/x", "2", "sha256:ab", "not at the destination"),),
    )

    assert json.loads(json.dumps(to_json([run]))) == {
        "runs": [
            {
                "run": "run-1",
                "rule": "base",
                "state": "partial",
                "error": "",
                "started_at": "2025-06-01T00:00:00+00:00",
                "finished_at": "2025-06-01T00:00:01.500000+00:00",
                "seconds": 1.5,
                "counts": {name: int(name == "copied") for name in COUNTS},
                "bytes": {"moved": 1, "mounted": 2, "skipped": 3},
                "blobs": {"moved": 4, "mounted": 5, "skipped": 6},
                "requests": {"a.io": {"tags": 1}},
                "tags": [
                    {
                        "source": "a.io/x:1",
                        "destination": "b.io/x",
                        "tag": "1",
                        "class": "denied",
                        "side": "destination",
                        "status": None,
                        "code": "",
                        "attempts": 1,
                        "message": "403",
                    }
                ],
                "copied": [
                    {
                        "source": "a.io/x:2",
                        "destination": "b.io/x",
                        "tag": "2",
                        "digest": "sha256:ab",
                        "reason": "not at the destination",
                    }
                ],
            }
        ]
    }


def test_an_error_is_described_by_its_class_and_the_registrys_own_words():
    limited = RateLimited("429 from a.io", retry_after=1.0, codes=("TOOMANYREQUESTS",))

    assert describe_error(limited, side="source") == ActionError(
        "rate_limited", "429 from a.io", "source", 429, "TOOMANYREQUESTS"
    )
    assert describe_error(ContentMismatch("other bytes"), side="source") == ActionError(
        "content_mismatch", "other bytes", "source"
    )


def test_a_referrer_that_has_to_wait_defers_its_tag_and_keeps_the_registrys_answer():
    failed = ReferrerFailed("the referrers of sha256:… cannot be read: 429", side="source")
    failed.__cause__ = PullsSpent("429", retry_after=60.0, status=429)

    assert count_of(failed) == "deferred"
    described = describe_error(failed, side="source")
    assert (described.kind, described.status) == ("referrer_failed", 429)
