"""Windows: hours of the week in which no run begins by itself, such as ``Mon-Fri 08:00-18:00``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, Self

from replicator.errors import ConfigError
from replicator.values import dataclass

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK: Final = 7 * 24 * 60
_DAY: Final = 24 * 60
_FORM: Final = re.compile(
    r"(?:(?P<days>[a-z,-]+) +)?(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
_EXAMPLE: Final = 'write for example "22:00-06:00" or "Mon-Fri 08:00-18:00"'


@dataclass(frozen=True, slots=True)
class Window:
    """From *start* to *end*, in minutes of the day, on *days* (Monday is 0).

    One that ends where it starts, or before, ends on the day after.
    """

    days: frozenset[int]
    start: int
    end: int

    @classmethod
    def parse(cls, text: str, *, where: str) -> Self:
        """Read a window; without days it is on all of them. Raises ConfigError."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ConfigError(f'{where}: "{text}" is not a window; {_EXAMPLE}')
        days = _days(found["days"], text, where) if found["days"] else frozenset(range(7))
        return cls(days, *(_minutes(found[key], text, where) for key in ("start", "end")))

    @property
    def length(self) -> int:
        """How many minutes it lasts."""
        return (self.end - self.start - 1) % _DAY + 1

    def end_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return when the window ends that *moment* is in, in UTC; None when it is in none."""
        today = moment.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if day.weekday() not in self.days:
                continue
            start, end = (_at(day, minute, zone) for minute in self._span())
            if start <= moment < end:
                return end
        return None

    def minutes_of_week(self) -> set[int]:
        """Return the minutes since Monday 00:00 that are in the window."""
        starts = (day * _DAY + self.start for day in self.days)
        return {(start + n) % _WEEK for start in starts for n in range(self.length)}

    def _span(self) -> tuple[int, int]:
        return self.start, self.start + self.length


def end_of_window(windows: Iterable[str], timezone: str, moment: datetime) -> datetime | None:
    """Return when the windows end that *moment* is in; None when it is in none of them."""
    zone: tzinfo = UTC
    if timezone != "UTC":
        from zoneinfo import ZoneInfo

        zone = ZoneInfo(timezone)
    read = (Window.parse(text, where="maintenance") for text in windows)
    ends = (window.end_after(moment, zone) for window in read)
    return max((end for end in ends if end is not None), default=None)


def check_windows(windows: Iterable[str], *, where: str) -> None:
    """Raise ConfigError unless each can be read, and some time of the week is left."""
    closed: set[int] = set()
    for text in windows:
        closed |= Window.parse(text, where=where).minutes_of_week()
    if len(closed) == _WEEK:
        raise ConfigError(f"{where}: no minute of the week is left; disable the rule instead")


def _days(written: str, text: str, where: str) -> frozenset[int]:
    days: set[int] = set()
    for item in written.lower().split(","):
        first, dash, last = item.partition("-")
        last = last if dash else first
        if first not in _DAYS or last not in _DAYS:
            raise ConfigError(f'{where}: "{text}" names no days; days are {", ".join(_DAYS)}')
        start = _DAYS.index(first)
        length = (_DAYS.index(last) - start) % 7
        days |= {(start + n) % 7 for n in range(length + 1)}
    return frozenset(days)


def _minutes(written: str, text: str, where: str) -> int:
    hour, minute = map(int, written.split(":"))
    if hour * 60 + minute > _DAY or minute > 59:
        raise ConfigError(f'{where}: "{text}" has no such time of day: {written}; {_EXAMPLE}')
    return hour * 60 + minute


def _at(day: date, minute: int, zone: tzinfo) -> datetime:
    """Return a minute of *day*, by the clock on the wall, in UTC."""
    later, minute = divmod(minute, _DAY)
    local = datetime.combine(day + timedelta(days=later), time(*divmod(minute, 60)), zone)
    return local.astimezone(UTC)
