"""Bandwidth: how many bytes a second may pass at which hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from replicator.values import dataclass


class Hours(Protocol):
    """Hours of the week."""

    def end_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return when the hours end that *moment* is in; None when it is in none."""
        ...


@dataclass(frozen=True, slots=True)
class BandwidthHours:
    """The most bytes a second, 0 for no limit, at some hours or, without *hours*, at all."""

    limit: int
    hours: Hours | None = None
    zone: tzinfo = UTC

    def applies(self, moment: datetime) -> bool:
        return self.hours is None or self.hours.end_after(moment, self.zone) is not None


def bandwidth_at(entries: Sequence[BandwidthHours], now: float) -> int:
    """Return the limit of the first entry whose hours it is *now*, in seconds since 1970.

    0 is no limit, which is also what holds outside of all hours.
    """
    moment = datetime.fromtimestamp(now, UTC)
    return next((each.limit for each in entries if each.applies(moment)), 0)
