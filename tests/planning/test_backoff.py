"""When a tag that fails is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from replicator.planning.backoff import next_try_at

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pause(failures, *, own_fault=True):
    return next_try_at(NOW, failures, own_fault=own_fault) - NOW


def test_the_first_failure_makes_no_pause_and_the_others_longer_and_longer_ones():
    minutes = [pause(failures) / timedelta(minutes=1) for failures in range(1, 8)]

    assert minutes == [0, 5, 10, 20, 40, 80, 160]


@given(st.integers(1, 10**9))
def test_no_pause_is_longer_than_six_hours_or_shorter_than_the_one_before(failures):
    assert timedelta(0) <= pause(failures) <= pause(failures + 1) <= timedelta(hours=6)


@given(st.integers(1, 10**9))
def test_what_is_not_the_tags_own_fault_makes_no_pause(failures):
    assert pause(failures, own_fault=False) == timedelta(0)
