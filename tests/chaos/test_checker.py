"""The checker finds what it is there for, in histories that are whole but for one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.chaos.checker import Fire, Record, Run, check

_START = datetime(2026, 3, 1, tzinfo=UTC)
_EVERY = timedelta(seconds=10)
_SOON = timedelta(seconds=5)


@st.composite
def whole(draw):
    """A history as it should be: groups of due times, the last of which was run or skipped."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    times = [_START + number * _EVERY for number in range(1, sum(sizes) + 1)]
    fires, runs, reached = [], [], -1
    for size in sizes:
        reached += size
        at, is_run = times[reached], draw(st.booleans())
        name = f"run-{reached}" if is_run else None
        fires.append(Fire("app", at, "run" if is_run else "skipped_overlap", name, size - 1))
        if name:
            began = at + draw(st.timedeltas(timedelta(), _SOON))
            runs.append(Run(name, "app", began, began + timedelta(seconds=1)))
    return Record({"app": times}, fires, runs, times[-1])


def findings(record, **changes):
    return check(replace(record, **changes), epsilon=_SOON)


def first_run(record):
    assume(record.runs)
    return record.runs[0]


@given(whole())
def test_nothing_is_found_where_nothing_is_wrong(record):
    found = findings(record)

    assert (found.errors, found.waiting, found.late) == ([], [], [])
    assert found.due == found.run + found.skipped + found.coalesced


@given(whole(), st.data())
def test_a_due_time_that_has_no_row_is_missed_with_those_before_it(record, data):
    gone = data.draw(st.sampled_from(record.fires))
    fires = [fire for fire in record.fires if fire is not gone]
    runs = [run for run in record.runs if run.id != gone.run]

    found = findings(record, fires=fires, runs=runs)

    assert len(found.missed) == gone.coalesced + 1
    assert len(found.errors) == len(found.missed)


@given(whole(), st.data(), st.integers(1, 3))
def test_due_times_that_are_counted_twice_are_extra(record, data, more):
    chosen = data.draw(st.sampled_from(record.fires))
    wrong = replace(chosen, coalesced=chosen.coalesced + more)

    found = findings(record, fires=[wrong if f is chosen else f for f in record.fires])

    assert (len(found.extra), len(found.errors)) == (more, more)


@given(whole(), st.data())
def test_due_times_that_are_not_counted_are_missed(record, data):
    late = [fire for fire in record.fires if fire.coalesced]
    assume(late)
    chosen = data.draw(st.sampled_from(late))
    wrong = replace(chosen, coalesced=0)

    found = findings(record, fires=[wrong if f is chosen else f for f in record.fires])

    assert len(found.missed) == len(found.errors) == chosen.coalesced


@given(whole())
def test_a_row_that_is_at_no_due_time_is_extra(record):
    at = record.until - timedelta(seconds=1)
    odd = Fire("app", at, "skipped_overlap", None, 0)

    found = findings(record, due={"app": [_START, *record.due["app"]]}, fires=[*record.fires, odd])

    assert any("not due" in error for error in found.extra)


@given(whole())
def test_a_run_that_is_not_there_is_lost(record):
    run = first_run(record)

    found = findings(record, runs=record.runs[1:])

    assert len(found.lost) == len(found.errors) == 1
    assert run.id in found.lost[0]


@given(whole())
def test_a_run_that_nobody_asked_for_is_extra(record):
    later = record.until + timedelta(minutes=1)
    stray = Run("stray", "app", later, later)

    found = findings(record, runs=[*record.runs, stray])

    assert len(found.extra) == len(found.errors) == 1


@given(whole())
def test_runs_of_a_rule_at_the_same_time_are_overlapping(record):
    assume(len(record.runs) > 1)
    first, second, *rest = record.runs
    longer = replace(first, ended=second.began + timedelta(seconds=6))

    found = findings(record, runs=[longer, second, *rest])

    assert len(found.overlapping) == len(found.errors) == 1


@given(whole())
def test_a_run_that_is_not_over_is_waiting_and_no_error(record):
    assume(record.runs)
    *others, last = record.runs

    found = findings(record, runs=[*others, replace(last, ended=None)])

    assert (len(found.waiting), found.errors) == (1, [])


@given(whole(), st.timedeltas(timedelta(seconds=6), timedelta(hours=1)))
def test_a_run_that_begins_after_epsilon_is_late_and_no_error(record, delay):
    assume(record.runs)
    *others, last = record.runs
    due = next(fire.at for fire in record.fires if fire.run == last.id)
    late = replace(last, began=due + delay, ended=due + delay)

    found = findings(record, runs=[*others, late])

    assert (len(found.late), found.errors) == (1, [])
    assert found.delay(1.0) == pytest.approx(delay.total_seconds())


@given(whole())
def test_what_came_due_after_the_end_is_not_asked_for(record):
    later = record.until + _EVERY
    fires = [*record.fires, Fire("app", later, "run", "run-later", 0)]
    runs = [*record.runs, Run("run-later", "app", None, None)]

    found = findings(record, fires=fires, runs=runs)

    assert (found.errors, found.waiting) == ([], [])
