"""The key ``bandwidth``: one rate, or several at different hours of the day."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from replicator.config import values
from replicator.config.table import Table
from replicator.errors import ConfigError
from replicator.registry.bandwidth import BandwidthHours

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from replicator.planning.windows import Window

_EXAMPLE: Final = '{ hours = "08:00-18:00", timezone = "Europe/Berlin", limit = "10MiB/s" }'


def read_bandwidth(value: Any, where: str) -> tuple[BandwidthHours, ...]:
    """Read a rate that always holds, or a list of rates with their hours; () is no limit."""
    if not isinstance(value, list):
        limit = values.rate(value, where)
        return (BandwidthHours(limit),) if limit else ()
    entries = tuple(_entry(each, f"{where}[{n}]") for n, each in enumerate(value, start=1))
    for number, entry in enumerate(entries[:-1], start=1):
        if entry.hours is None:
            raise ConfigError(
                f"{where}[{number}]: has no hours, so that what follows never counts; "
                "the first that fits does: put it last"
            )
    return entries


def _entry(value: Any, where: str) -> BandwidthHours:
    given = _TABLE(value, where)
    if "limit" not in given:
        raise ConfigError(f'{where}: has no limit; add limit = "10MiB/s", or 0 for none')
    if "timezone" in given and "hours" not in given:
        raise ConfigError(f"{where}: a timezone is of hours; add hours, or leave it out")
    return BandwidthHours(given["limit"], given.get("hours"), given.get("timezone", UTC))


def _hours(value: Any, where: str) -> Window:
    from replicator.planning.windows import Window

    return Window.parse(values.text(value, where), where=where)


def _timezone(value: Any, where: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    from replicator.planning.schedule import check_timezone

    name = values.text(value, where)
    check_timezone(name, where=where)
    return ZoneInfo(name)


_TABLE: Final = Table(
    {"hours": _hours, "timezone": _timezone, "limit": values.rate}, example=_EXAMPLE
)
