"""Numbers become words and drawings that say the same."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.page import words
from replicator.page.plots import HEIGHT, WIDTH, bars_by_day, lag_line, nice_top, spark
from replicator.registry.facts import Facts
from replicator.store.traffic import Span

DAYS = tuple(date(2026, 3, 1) + timedelta(days=n) for n in range(14))
NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


@given(st.floats(min_value=0.001, max_value=1e18), st.booleans())
def test_an_axis_ends_above_its_highest_value_and_not_far_above(highest, binary):
    top = nice_top(highest, binary=binary)

    assert top >= highest * 0.999
    assert top <= max(highest * 2.001, 1)


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.dictionaries(st.sampled_from(DAYS), st.integers(0, 2**50)),
        max_size=9,
    )
)
def test_all_bars_are_within_the_drawing(series):
    plot = bars_by_day("x", DAYS, series, words.count)

    assert len(plot.series) <= 6
    for bar in plot.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert 9.9 <= bar.y <= bar.y + bar.height <= HEIGHT


def test_what_is_beyond_a_few_series_is_added_up():
    series = {f"r{n}": {DAYS[0]: 10 - n} for n in range(9)}

    plot = bars_by_day("x", DAYS, series, words.count)

    assert plot.series == ("r0", "r1", "r2", "r3", "r4", "others")
    assert plot.rows[0] == ("2026-03-01", "10", "9", "8", "7", "6", "14")


def test_lag_grows_until_the_next_good_run_ends():
    spans = [
        Span(NOW - timedelta(hours=10), NOW - timedelta(hours=9), good=True),
        Span(NOW - timedelta(hours=6), NOW - timedelta(hours=6), good=False),
        Span(NOW - timedelta(hours=2), NOW - timedelta(hours=1), good=True),
    ]

    plot = lag_line("Lag", DAYS, spans, timedelta(hours=12), NOW)

    # The first good run was 9 hours old when the second one ended; that is 2 hours old now.
    assert [row[1] for row in plot.rows] == ["9 h", "2 h"]
    assert plot.limit is not None


def test_without_a_good_run_there_is_no_lag_to_draw():
    assert lag_line("Lag", DAYS, [], None, NOW).is_empty


@given(st.dictionaries(st.sampled_from(DAYS), st.integers(0, 2**50)))
def test_a_sparkline_has_a_bar_for_each_day_with_something(values):
    assert len(spark(DAYS, values)) == sum(value > 0 for value in values.values())


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (1024**2 * 310, "310 MiB"), (2**50, "1.0 PiB")],
)
def test_sizes_have_few_digits(number, said):
    assert words.size(number) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (90, "1 min 30 s"), (7260, "2 h 1 min"), (14_400, "4 h")],
)
def test_spans_have_one_unit_or_two(seconds, said):
    assert words.span(timedelta(seconds=seconds)) == said


def test_a_time_is_relative_and_says_the_exact_one():
    said = words.when(NOW - timedelta(minutes=5), NOW)

    assert "5 min ago" in said
    assert 'datetime="2026-03-14T11:55:00+00:00"' in said
    assert "in 2 h" in words.when(NOW + timedelta(hours=2), NOW)
    assert "in 90 d" in words.when(NOW + timedelta(days=90, seconds=-2), NOW)


def test_all_that_trying_a_registry_shows_is_said_in_words():
    assert set(words.FACTS) == {each.name for each in fields(Facts)}
