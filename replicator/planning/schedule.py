"""Schedules as rules write them: five-field cron in a time zone, or an interval.

They are only checked here; ``due_times`` says when they come due.
"""

from __future__ import annotations

import difflib
import re
from datetime import timedelta
from typing import Final

from replicator.errors import ConfigError
from replicator.values import dataclass

# fmt: off
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)
# fmt: on
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS_IN_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ITEM: Final = re.compile(r"(?:\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/(\d+))?", re.ASCII)
_EXAMPLE: Final = '"0 3 * * *" is every day at 03:00'
_INTERVAL: Final = re.compile(r"every +((?:[1-9][0-9]{0,5}[smhdw])+)", re.ASCII)
_INTERVAL_PART: Final = re.compile(r"([0-9]+)([smhdw])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        """Read a number or a word such as ``mon``; None when it is neither or out of range."""
        if text in self.words:
            return self.words.index(text) + self.first
        number = int(text) if text.isdecimal() and len(text) < 4 else -1
        return number if self.first <= number <= self.last else None


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    # Sunday is both 0 and 7.
    _Field("day of week", 0, 7, _WEEKDAYS),
)


def check_schedule(text: str, *, where: str) -> None:
    """Raise ConfigError unless *text* is ``every 30m`` or the like, or a five-field cron
    expression that comes due at all."""
    if text.startswith("every"):
        _check_interval(text, where)
        return
    fields = text.lower().split()
    if len(fields) == 6:
        raise ConfigError(
            f'{where}: "{text}" has six fields; leave out the seconds: "{" ".join(fields[1:])}"'
        )
    if len(fields) != len(_FIELDS):
        raise ConfigError(
            f'{where}: "{text}" is not a schedule of five fields (minute, hour, day of month, '
            f"month, day of week); {_EXAMPLE}"
        )
    values = [
        _values(field, written, where) for field, written in zip(_FIELDS, fields, strict=True)
    ]
    _check_that_days_exist(text, days=values[2], months=values[3], weekdays=fields[4], where=where)


def interval_of(text: str) -> timedelta | None:
    """Read ``every 30m``; None for a cron expression."""
    found = _INTERVAL.fullmatch(text)
    if found is None:
        return None
    parts = _INTERVAL_PART.findall(found[1])
    return timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in parts))


def check_timezone(name: str, *, where: str) -> None:
    """Raise ConfigError unless *name* is a time zone of the IANA database.

    UTC, the default, is one also where no such database is installed.
    """
    if name == "UTC":
        return
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(available_timezones()), n=1)
        hint = f'did you mean "{near[0]}"?' if near else 'write for example "Europe/Berlin"'
        raise ConfigError(f'{where}: "{name}" is not a time zone; {hint}') from None


def _check_interval(text: str, where: str) -> None:
    if interval_of(text) is None:
        raise ConfigError(
            f'{where}: "{text}" is not an interval; write for example "every 30m" or '
            f'"every 1h30m", in s, m, h, d or w; {_EXAMPLE}'
        )


def _values(field: _Field, written: str, where: str) -> set[int]:
    values: set[int] = set()
    for item in written.split(","):
        values |= _item(field, item, written, where)
    return values


def _item(field: _Field, item: str, written: str, where: str) -> set[int]:
    problem = f'{where}: "{written}" is not a {field.name}'
    found = _ITEM.fullmatch(item)
    if found is None:
        raise ConfigError(f"{problem}; write *, a number, a-b, or */n; {_EXAMPLE}")
    first, last, step = found[1], found[2], int(found[3] or 1)
    if not 1 <= step <= field.last:
        raise ConfigError(f"{problem}; steps are from 1 to {field.last}")
    if first is None:
        return set(range(field.first, field.last + 1, step))
    low = field.number(first)
    high = field.number(last) if last else (field.last if found[3] else low)
    if low is None or high is None or low > high:
        raise ConfigError(f"{problem}; it goes from {field.first} to {field.last}")
    return set(range(low, high + 1, step))


def _check_that_days_exist(
    text: str, *, days: set[int], months: set[int], weekdays: str, where: str
) -> None:
    # A restricted day of week is an alternative to the day of month, not a further condition.
    # One that begins with a star restricts nothing by itself, so there both must match.
    if weekdays.startswith("*") and all(min(days) > _DAYS_IN_MONTH[month - 1] for month in months):
        raise ConfigError(f'{where}: "{text}" never comes due; no such month has day {min(days)}')
