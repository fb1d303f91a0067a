"""When schedules come due: cron as Debian has it, also when clocks change, and intervals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ConfigError
from replicator.planning.due_times import MOST_MISSED, Due, DueTimes, shift
from replicator.planning.schedule import check_schedule, interval_of

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
# In Berlin clocks go from 2:00 to 3:00 on the first of these days, from 3:00 to 2:00 on the other.
FORWARD = datetime(2026, 3, 29, tzinfo=BERLIN)
BACK = datetime(2026, 10, 25, tzinfo=BERLIN)


def due_times(schedule, timezone="UTC", since=NOON):
    return DueTimes(schedule, timezone, since)


def times_of_day(schedule, day):
    """The wall clock's hours and minutes, with the offset from UTC, at which a day is due."""
    times = due_times(schedule, "Europe/Berlin")
    found, moment = [], day.astimezone(UTC) - timedelta(seconds=1)
    while (moment := times.next(moment)).astimezone(BERLIN).date() == day.date():
        local = moment.astimezone(BERLIN)
        found.append(f"{local:%H:%M}+{local.utcoffset() // timedelta(hours=1)}")
    return found


@pytest.mark.parametrize(
    ("schedule", "timezone", "expected"),
    [
        ("0 3 * * *", "UTC", "2026-03-15T03:00"),
        ("0 3 * * *", "Asia/Shanghai", "2026-03-14T19:00"),
        ("*/20 * * * *", "UTC", "2026-03-14T12:20"),
        ("0 0 * * sun", "UTC", "2026-03-15T00:00"),
        ("0 0 * * 7", "UTC", "2026-03-15T00:00"),
        ("0 0 1 * mon", "UTC", "2026-03-16T00:00"),
        ("0 0 29 2 *", "UTC", "2028-02-29T00:00"),
        ("every 1h30m", "UTC", "2026-03-14T13:30"),
    ],
)
def test_the_next_due_time_is_that_of_the_schedule_in_its_zone(schedule, timezone, expected):
    expected = datetime.fromisoformat(expected).replace(tzinfo=UTC)

    assert due_times(schedule, timezone).next(NOON) == expected


def test_a_time_that_the_day_leaves_out_comes_due_when_the_clocks_have_been_put_forward():
    assert times_of_day("30 2 * * *", FORWARD) == ["03:00+2"]


def test_times_that_meet_because_the_day_leaves_them_out_come_due_once():
    assert times_of_day("0,30 2,3 * * *", FORWARD) == ["03:00+2", "03:30+2"]


def test_a_time_that_the_day_has_twice_comes_due_the_first_time():
    assert times_of_day("30 2 * * *", BACK) == ["02:30+2"]


def test_in_the_second_of_two_equal_hours_the_first_is_not_due_again():
    second_hour = BACK.replace(hour=2, minute=10, fold=1).astimezone(UTC)

    following = due_times("30 2 * * *", "Europe/Berlin").next(second_hour)

    assert following == (BACK + timedelta(days=1)).replace(hour=2, minute=30).astimezone(UTC)


def test_every_hour_goes_by_elapsed_time_on_both_days():
    assert len(times_of_day("0 * * * *", FORWARD)) == 23
    assert len(times_of_day("0 * * * *", BACK)) == 25
    assert len(times_of_day("*/15 * * * *", BACK)) == 100


def test_an_interval_counts_from_when_it_was_set_whenever_it_is_asked_for():
    times = due_times("every 7m", since=NOON)

    assert times.next(NOON - timedelta(days=1)) == NOON + timedelta(minutes=7)
    assert times.next(NOON + timedelta(minutes=20)) == NOON + timedelta(minutes=21)
    assert times.next(NOON + timedelta(minutes=21)) == NOON + timedelta(minutes=28)


def test_nothing_is_due_before_its_time():
    times = due_times("0 3 * * *")

    assert times.latest(NOON, NOON + timedelta(hours=14, minutes=59)) is None


def test_the_latest_due_time_stands_for_all_that_were_missed():
    after_days = NOON + timedelta(days=3)

    due = due_times("0 3 * * *").latest(NOON, after_days)

    assert due == Due(datetime(2026, 3, 17, 3, tzinfo=UTC), missed=2)


def test_years_of_missed_minutes_are_found_quickly_and_not_all_counted():
    later = NOON + timedelta(days=3650)

    assert due_times("* * * * *").latest(NOON, later) == Due(later, MOST_MISSED)
    assert due_times("every 1s").latest(NOON, later) == Due(later, MOST_MISSED)


def test_a_schedule_that_is_due_once_in_eight_years_is_found_after_ten():
    since, until = datetime(2096, 3, 1, tzinfo=UTC), datetime(2106, 1, 1, tzinfo=UTC)

    due = due_times("0 0 29 2 *").latest(since, until)

    assert due == Due(datetime(2104, 2, 29, tzinfo=UTC), missed=0)


cron_fields = st.tuples(
    st.sampled_from(["0", "30", "*/7", "*", "5,45"]),
    st.sampled_from(["*", "2", "2,3", "*/6", "1-4"]),
    st.sampled_from(["*", "1", "29", "*/2"]),
    st.sampled_from(["*", "3", "10"]),
    st.sampled_from(["*", "sun", "1-5"]),
).map(" ".join)
schedules = cron_fields | st.sampled_from(["every 7m", "every 90s", "every 1d"])
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(schedules, zones, moments, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_the_latest_and_the_missed_are_those_that_follow_one_by_one(schedule, zone, after, span):
    times = due_times(schedule, zone, since=datetime(2026, 1, 1, tzinfo=UTC))
    until = after + span

    one_by_one = list(takewhile(lambda each: each <= until, following(times, after)))

    due = times.latest(after, until)
    assert due == (Due(one_by_one[-1], len(one_by_one) - 1) if one_by_one else None)


@given(schedules, zones, moments)
def test_due_times_grow(schedule, zone, after):
    moment = after
    for _ in range(5):
        following_moment = due_times(schedule, zone).next(moment)
        assert following_moment > moment
        moment = following_moment


def following(times, moment):
    while (moment := times.next(moment)) is not None:
        yield moment


@given(st.text(min_size=1, max_size=20))
def test_a_rule_is_late_by_the_same_part_of_its_jitter_each_time(name):
    jitter = timedelta(minutes=5)

    assert timedelta(0) <= shift(name, jitter) < jitter
    assert shift(name, jitter) == shift(name, jitter)


def test_rules_are_spread_over_the_jitter():
    late = sorted(shift(f"rule-{number}", timedelta(seconds=100)) for number in range(1000))

    assert timedelta(seconds=40) < late[500] < timedelta(seconds=60)


@pytest.mark.parametrize("text", ["every 30m", "every 1h30m", "every 7d", "every  45s"])
def test_intervals_are_schedules(text):
    check_schedule(text, where="schedule")

    assert interval_of(text) is not None


@pytest.mark.parametrize("text", ["every", "every 30", "every 0m", "every 1.5h", "every -3m"])
def test_what_looks_like_an_interval_and_is_none_is_refused(text):
    with pytest.raises(ConfigError, match='write for example "every 30m"'):
        check_schedule(text, where="schedule")
