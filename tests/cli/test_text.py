"""Values as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.cli.output import table_lines
from replicator.cli.text import plural, printable, seconds_text, shortened, size_text, time_text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 20, "3.0 MiB"), (5 << 40, "5.0 TiB")],
)
def test_sizes_are_written_with_their_unit(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.31, "0.3 s"), (59.9, "59.9 s"), (125, "2:05"), (3725, "1:02:05")]
)
def test_durations_are_written_as_clocks_show_them(seconds, text):
    assert seconds_text(seconds) == text


def test_one_is_no_plural():
    assert (plural(1, "tag"), plural(2000, "tag")) == ("1 tag", "2,000 tags")


def test_times_are_in_utc_to_the_second():
    assert time_text(datetime(2026, 3, 14, 3, 15, tzinfo=UTC)) == "2026-03-14 03:15:00"
    assert time_text(None) == "-"


@given(st.text())
def test_no_text_takes_hold_of_a_terminal(text):
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)


@given(st.lists(st.tuples(st.text(), st.integers(), st.text(max_size=3)), min_size=1))
def test_the_columns_of_a_table_stand_below_each_other(rows):
    lines = list(table_lines(("ONE", "TWO", "THREE"), rows))

    assert len(lines) == len(rows) + 1
    second = lines[0].index("TWO")
    for line, row in zip(lines[1:], rows, strict=True):
        assert line[second:].startswith(str(row[1]))


def test_a_table_without_rows_is_nothing():
    assert list(table_lines(("ONE",), [])) == []


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_what_is_too_long_is_shortened_to_its_ends(text, width):
    short = shortened(text, width)

    head = (width - 1) // 3
    assert len(short) == min(width, len(text))
    if len(text) <= width:
        assert short == text
    else:
        assert short[head] == "…"
        assert text.startswith(short[:head])
        assert text.endswith(short[head + 1 :])


def test_a_shortened_name_keeps_its_registry_and_its_tag():
    assert shortened("registry.example.com/team/app:1.2", 16) == "regis…am/app:1.2"
