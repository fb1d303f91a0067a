"""Words: what is known, as people say it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from markupsafe import Markup

from replicator.service.views.overview import Standing
from replicator.store.records import RunState

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SPANS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_NOW: Final = timedelta(seconds=5)

STATES: Final[Mapping[RunState, str]] = {
    RunState.QUEUED: "waiting",
    RunState.RUNNING: "running",
    RunState.SUCCEEDED: "succeeded",
    RunState.PARTIAL: "some tags failed",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "cancelled",
    RunState.EMPTY: "selected nothing",
}
STANDINGS: Final[Mapping[Standing, str]] = {
    Standing.RUNNING: "running",
    Standing.FAILING: "failing",
    Standing.LATE: "late",
    Standing.RESTING: "resting",
    Standing.NEW: "new",
    Standing.IN_STEP: "in step",
}
FACTS: Final[Mapping[str, str]] = {
    "kind": "kind",
    "auth": "asks for a login by",
    "catalogue": "lists its repositories to us",
    "digest_header": "tells digests without sending manifests",
    "trusts_head": "is right when it says that a tag is not there",
    "conditional": "answers 304 where the digest is known",
    "paged": "gives tags in pages of the size that is asked for",
    "referrers_api": "lists referrers",
    "self_mount": "says by a mount that a blob is there",
    "single_request": "takes a blob in one request",
    "streamed": "takes a blob whose length is not said before",
    "chunked": "takes a blob in several pieces",
    "resumed": "says how much of an upload it has",
    "upload": "blobs were sent by",
}
# In the order in which somebody wants to know of them; the words behind the numbers.
_COUNTS: Final = (
    ("copied", "copied"),
    ("failed", "failed"),
    ("blocked", "blocked"),
    ("conflict", "in conflict"),
    ("deferred", "deferred"),
    ("pruned", "pruned"),
    ("skipped", "in step"),
)


def size(number: float) -> str:
    """Say how many bytes that is, in three digits or so."""
    value = float(number)
    for unit in _UNITS:
        if abs(value) < 1000 or unit == _UNITS[-1]:
            break
        value /= 1024
    digits = 0 if unit == "B" or value >= 100 else 1
    return f"{value:.{digits}f} {unit}"


def count(number: float) -> str:
    """Write a number in groups of three digits."""
    return f"{number:,.0f}".replace(",", "\u202f")


def share(part: float) -> str:
    """Say which part of a whole that is; whole and nothing are said only where they are meant."""
    percent = round(part * 100)
    if percent in (0, 100) and 0 < part < 1:
        return "under 1 %" if percent == 0 else "over 99 %"
    return f"{percent} %"


def span(length: timedelta) -> str:
    """Say how long that is, by its largest unit, and the next one if it is short."""
    left = max(0, round(length.total_seconds()))
    for index, (seconds, unit) in enumerate(_SPANS):
        if left >= seconds:
            whole, rest = divmod(left, seconds)
            if whole >= 3 or unit == "s":
                return f"{whole} {unit}"
            smaller, name = _SPANS[index + 1]
            return f"{whole} {unit}" + (f" {rest // smaller} {name}" if rest // smaller else "")
    return "0 s"


def when(at: datetime, now: datetime) -> Markup:
    """Say how far a moment is from *now*; the moment itself is there for who wants it."""
    at = at.astimezone(UTC)
    away = at - now
    if abs(away) < _NOW:
        words = "now"
    else:
        words = f"{span(-away)} ago" if away < timedelta(0) else f"in {span(_rounded(away))}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M:%S} UTC", words
    )


def _rounded(away: timedelta) -> timedelta:
    """Round what is left to days or hours: what is for 90 days does not end in 89 at once."""
    for seconds, _ in _SPANS[:2]:
        if away.total_seconds() >= 3 * seconds:
            return timedelta(seconds=round(away.total_seconds() / seconds) * seconds)
    return away


def result(counts: Mapping[str, int]) -> str:
    """Say what became of the tags of a run."""
    said = [f"{count(counts[key])} {word}" for key, word in _COUNTS if counts.get(key)]
    return ", ".join(said) or "no tags"


def plain(name: str) -> str:
    """Return the name of a setting or a fact as words."""
    return name.replace("_", " ")
