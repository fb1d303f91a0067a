"""Windows: hours of the week in which no run begins by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ConfigError
from replicator.planning.windows import check_windows, end_of_window

# A Saturday.
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


@pytest.mark.parametrize(
    ("text", "ends_after"),
    [
        ("10:00-18:00", timedelta(hours=6)),
        ("12:00-12:01", timedelta(minutes=1)),
        ("22:00-13:00", timedelta(hours=1)),
        ("Fri 22:00-13:00", timedelta(hours=1)),
        ("Sat 00:00-24:00", timedelta(hours=12)),
        ("mon,sat 11:00-14:30", timedelta(hours=2, minutes=30)),
        ("Fri-Mon 00:00-00:00", timedelta(hours=12)),
        ("11:00-12:00", None),
        ("Sun 10:00-18:00", None),
        ("Sat 22:00-13:00", None),
        ("Mon-Fri 00:00-24:00", None),
    ],
)
def test_a_moment_is_in_a_window_until_its_end(text, ends_after):
    end = end_of_window([text], "UTC", NOON)

    assert end == (None if ends_after is None else NOON + ends_after)


def test_a_window_goes_by_the_clock_on_the_wall_of_its_zone():
    # In Shanghai it is 20:00.
    assert end_of_window(["20:00-21:00"], "Asia/Shanghai", NOON) == NOON + timedelta(hours=1)
    assert end_of_window(["12:00-13:00"], "Asia/Shanghai", NOON) is None


def test_a_night_on_which_clocks_are_put_forward_is_an_hour_shorter():
    before = datetime(2026, 3, 28, 21, 30, tzinfo=UTC)

    # From 22:00 (+1) to 06:00 (+2) are seven hours.
    end = end_of_window(["22:00-06:00"], "Europe/Berlin", before)

    assert end == datetime(2026, 3, 29, 4, tzinfo=UTC)


def test_of_overlapping_windows_the_last_end_counts():
    windows = ["10:00-13:00", "11:00-15:00"]

    assert end_of_window(windows, "UTC", NOON) == NOON + timedelta(hours=3)


@given(MOMENTS, st.integers(0, 1439), st.integers(0, 1439))
def test_the_end_of_a_window_is_later_and_within_a_day(moment, start, end):
    text = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    minute = moment.hour * 60 + moment.minute
    within = (minute - start) % 1440 < ((end - start) % 1440 or 1440)

    found = end_of_window([text], "UTC", moment)

    assert (found is not None) == within
    if found is not None:
        assert moment < found <= moment + timedelta(days=1)
        assert (found.hour, found.minute, found.second) == (end // 60, end % 60, 0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("always", "is not a window"),
        ("8-18", "is not a window"),
        ("08:00-25:00", "has no such time of day: 25:00"),
        ("08:61-09:00", "has no such time of day: 08:61"),
        ("24:01-09:00", "has no such time of day: 24:01"),
        ("Mo 08:00-18:00", "names no days"),
        ("Mon- 08:00-18:00", "names no days"),
        ("Mon-Xyz 08:00-18:00", "names no days"),
    ],
)
def test_what_is_no_window_is_refused_with_an_example(text, complaint):
    with pytest.raises(ConfigError, match=complaint):
        check_windows([text], where="maintenance")


def test_some_time_of_the_week_has_to_be_left():
    check_windows(["Mon-Sat 00:00-24:00", "Sun 00:00-23:59"], where="maintenance")

    with pytest.raises(ConfigError, match="no minute of the week is left"):
        check_windows(["Mon-Sat 00:00-24:00", "Sun 00:00-24:00"], where="maintenance")
