"""Failing: a tag that could not be copied lately, and when it is worth another try."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from replicator.oci.reference import RepositoryName, Tag
from replicator.values import dataclass

_FIRST: Final = timedelta(minutes=5)
_LONGEST: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Failing:
    """A destination tag whose last tries all failed.

    ``kind``, ``message`` and ``side`` are those of the last error. All times are in UTC.
    """

    destination: RepositoryName
    tag: Tag
    rule: str
    source: str
    failures: int
    kind: str
    message: str
    side: str
    since: datetime
    failed_at: datetime
    next_try_at: datetime
    run: str = ""

    def waits(self, now: datetime) -> bool:
        """Say whether it is too early for another try."""
        return now < self.next_try_at

    @property
    def reason(self) -> str:
        """Why the tag is left alone until then."""
        times = "once" if self.failures == 1 else f"{self.failures} times"
        return (
            f"failed {times}, not tried again before {self.next_try_at:%Y-%m-%d %H:%M} UTC; "
            f"last: {self.message}"
        )


def next_try_at(now: datetime, failures: int, *, own_fault: bool) -> datetime:
    """Return when a tag that failed *failures* times in a row is tried again.

    The first failure costs nothing: the next run tries again. From the second on the pause
    doubles. A failure that is not the tag's own, such as a registry out of order, makes no pause
    at all, so that everything is in step again as soon as the registry is.
    """
    if not own_fault or failures < 2:
        return now
    # Without the limit on the exponent, the power of two soon has hundreds of digits.
    doublings = min(failures - 2, 16)
    return now + min(_FIRST * (1 << doublings), _LONGEST)
