"""For how long a rule was behind its objective, and what is left of what it may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.planning.error_budget import ALLOWED, WINDOW, GoodRun, error_budget

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def ran(ago, lasted=MINUTE):
    """A good run that began so long ago."""
    return GoodRun(NOW - ago, NOW - ago + lasted)


def test_a_hundredth_of_thirty_days_is_allowed():
    assert timedelta(hours=7, minutes=12) == ALLOWED


def test_without_a_good_run_nothing_is_known():
    assert error_budget([], HOUR, NOW) is None


def test_a_rule_that_was_always_in_time_has_all_of_its_budget():
    runs = [ran(HOUR * hours) for hours in range(48, 0, -1)]

    found = error_budget(runs, 2 * HOUR, NOW)

    assert found.behind == timedelta(0)
    assert found.left == 1
    assert found.since == NOW - 48 * HOUR + MINUTE


@pytest.mark.parametrize(
    ("runs", "behind"),
    [
        # The last one began three hours ago, and two hours are too many.
        ([ran(3 * HOUR)], HOUR),
        # Between two runs: from the objective on, until the next one has ended.
        ([ran(10 * HOUR), ran(HOUR)], 7 * HOUR + MINUTE),
        # What a long run brings is old when it ends.
        ([ran(10 * HOUR, 4 * HOUR), ran(HOUR)], 5 * HOUR + MINUTE),
        ([ran(2 * HOUR)], timedelta(0)),
    ],
)
def test_the_lag_counts_from_when_the_newest_good_run_began(runs, behind):
    assert error_budget(runs, 2 * HOUR, NOW).behind == behind


def test_what_was_before_thirty_days_counts_no_more():
    found = error_budget([ran(WINDOW * 2), ran(WINDOW - 3 * HOUR), ran(HOUR)], 29 * WINDOW, NOW)
    late = error_budget([ran(WINDOW * 2), ran(WINDOW - 3 * HOUR), ran(MINUTE)], WINDOW, NOW)

    assert found.behind == timedelta(0)
    assert (late.behind, late.since) == (3 * HOUR + MINUTE, NOW - WINDOW)


def test_more_than_is_allowed_leaves_nothing():
    found = error_budget([ran(timedelta(days=3))], HOUR, NOW)

    assert found.behind > ALLOWED
    assert found.left == 0


spans = st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 200)), min_size=1, max_size=30)


@given(spans, st.integers(1, 10_000))
def test_it_is_what_one_finds_who_looks_at_the_lag_each_minute(gaps, objective):
    moment, runs = NOW - WINDOW * 2, []
    for before, lasted in gaps:
        began = moment + before * MINUTE
        moment = began + lasted * MINUTE
        if moment > NOW:
            break
        runs.append(GoodRun(began, moment))
    found = error_budget(runs, objective * MINUTE, NOW)
    if not runs:
        assert found is None
        return

    looked, number = 0, 0
    at = max(runs[0].finished_at, NOW - WINDOW)
    while at < NOW:
        while number + 1 < len(runs) and runs[number + 1].finished_at <= at:
            number += 1
        looked += at - runs[number].started_at >= objective * MINUTE
        at += MINUTE

    assert found.behind == looked * MINUTE
    assert 0 <= found.left <= 1
