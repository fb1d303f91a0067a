"""Lines: progress for whoever reads it later, such as the log of a CI job."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from replicator.cli.progress.describe import Describer
from replicator.cli.progress.meter import Meter
from replicator.cli.text import plural, seconds_text, size_text
from replicator.events import Event

# Seconds between two lines about the whole.
_EVERY: Final = 10.0


class Lines:
    """A line for what is worth one, and one about the whole now and then."""

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        verbosity: int,
        tags: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._describer = Describer(verbosity=verbosity, tags=tags)
        self._meter = Meter(clock)
        self._clock = clock
        self._due = clock() + _EVERY

    def __call__(self, event: Event, /) -> None:
        self._meter(event)
        if text := self._describer.describe(event):
            self._say(text)
        if self._clock() >= self._due:
            self._due = self._clock() + _EVERY
            self._say(totals_line(self._meter))


def totals_line(meter: Meter) -> str:
    """Return how far all copies together are."""
    totals, amount = meter.totals, meter.totals.amount
    if not amount.expected:
        return f"looking · {plural(totals.requests, 'request')}"
    parts = [
        plural(totals.images, "image"),
        f"{totals.failed} failed" if totals.failed else "",
        f"{size_text(amount.done)} of {size_text(amount.expected)}",
        f"{size_text(amount.rate.per_second())}/s",
        f"mounted {size_text(amount.mounted)}" if amount.mounted else "",
        f"skipped {size_text(amount.skipped)}" if amount.skipped else "",
    ]
    left = amount.seconds_left()
    if left:
        parts.append(f"{seconds_text(left)} left")
    return " · ".join(filter(None, parts))
