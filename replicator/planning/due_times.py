"""DueTimes: when a schedule comes due, over the days on which clocks are put forward or back.

Cron is Debian's: a time of day that a day leaves out comes due when the clocks have been put
forward, and one that a day has twice comes due the first time only; what comes due every hour or
more often goes by elapsed time. An interval counts from the moment its schedule was set.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from replicator.planning.schedule import interval_of
from replicator.values import dataclass

# Of a rule that was not looked at for long, so many missed times are counted and no more.
MOST_MISSED: Final = 10_000

# How far back the latest due time is looked for, shortest first: a year's minutes are not
# gone through to find the last of them. February 29 comes within eight years.
_LOOK_BACK: Final = tuple(timedelta(hours=hours) for hours in (1, 24, 800, 9000, 71_000))


@dataclass(frozen=True, slots=True)
class Due:
    """The latest due time of a span, and how many earlier ones it has."""

    at: datetime
    missed: int


@dataclass(frozen=True, slots=True)
class DueTimes:
    """The due times of a schedule in a time zone, all in UTC; *since* is when it was set."""

    schedule: str
    timezone: str
    since: datetime

    def next(self, moment: datetime) -> datetime | None:
        """Return the first due time after *moment*; None if there is none in fifty years."""
        return next(self._following(moment), None)

    def latest(self, after: datetime, until: datetime) -> Due | None:
        """Return the last due time that is later than *after* and not later than *until*."""
        first = self.next(after)
        if first is None or first > until:
            return None
        spans = (max(after, until - span) for span in _LOOK_BACK)
        found = (max(self._between(start, until), default=None) for start in spans)
        last = next(filter(None, found), first)
        earlier = islice(self._between(after, last), MOST_MISSED + 1)
        return Due(last, sum(1 for _ in earlier) - 1)

    def _between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        for moment in self._following(after):
            if moment > until:
                return
            yield moment

    def _following(self, moment: datetime) -> Iterator[datetime]:
        """Give all due times after *moment*, in order and each once."""
        interval = interval_of(self.schedule)
        if interval is not None:
            return self._multiples(interval, moment)
        return self._cron(moment)

    def _multiples(self, interval: timedelta, moment: datetime) -> Iterator[datetime]:
        number = max(1, (moment - self.since) // interval + 1)
        while True:
            yield self.since + number * interval
            number += 1

    def _cron(self, moment: datetime) -> Iterator[datetime]:
        """Follow the clock on the wall.

        Times that a day leaves out may fall on a time that is due anyway, and after clocks were
        put back the first of the two hours is behind us: those are left out.
        """
        last = moment
        for local in CronSim(self.schedule, moment.astimezone(_zone(self.timezone))):
            found = local.astimezone(UTC)
            if found > last:
                last = found
                yield found


def shift(rule: str, jitter: timedelta) -> timedelta:
    """Return the part of *jitter* by which a rule is late, the same each time and everywhere."""
    parts = int.from_bytes(sha256(rule.encode()).digest()[:4])
    return jitter * (parts / 2**32)


def _zone(name: str) -> tzinfo:
    # UTC, the default, works also where no database of time zones is installed.
    return UTC if name == "UTC" else ZoneInfo(name)
