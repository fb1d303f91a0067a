"""Bars: progress on a terminal, drawn anew several times a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from replicator.cli.messages import say
from replicator.cli.progress.describe import Describer
from replicator.cli.progress.lines import Lines
from replicator.cli.progress.meter import Amount, Meter
from replicator.cli.text import plural, printable, seconds_text, shortened, size_text
from replicator.events import Event, Listener

# Images that a terminal shows at once; the total is always there.
_MOST_IMAGES: Final = 12
_PER_SECOND: Final = 8
# In characters: what numbers and gaps need beside name and bar, and below what the bar is short.
_NUMBERS: Final = 52
_NARROW: Final = 110


@contextmanager
def shown_bars(*, verbosity: int, tags: bool) -> Iterator[Listener]:
    """Draw bars below the lines that are said meanwhile, and remove them at the end."""
    console = Console(stderr=True, highlight=False)
    if console.is_dumb_terminal:
        yield Lines(say, verbosity=verbosity, tags=tags)
        return
    meter = Meter()
    describer = Describer(verbosity=verbosity, tags=tags)

    def listener(event: Event, /) -> None:
        meter(event)
        if text := describer.describe(event):
            console.print(printable(text), markup=False, soft_wrap=True)

    with Live(
        get_renderable=lambda: picture(meter, console.width),
        console=console,
        transient=True,
        refresh_per_second=_PER_SECOND,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield listener


def picture(meter: Meter, width: int) -> RenderableType:
    """Return what a terminal shows now: nothing before there is something to show."""
    totals = meter.totals
    if not totals.requests and not totals.amount.expected:
        return Text()
    if not totals.amount.expected:
        return Text(f"looking · {plural(totals.requests, 'request')}", style="dim")
    images = tuple(meter.images.values())
    bar = 12 if width < _NARROW else 24
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(width=bar)
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    for image in images[:_MOST_IMAGES]:
        name = shortened(printable(image.name), width - bar - _NUMBERS)
        table.add_row(Text(name), *_cells(image.amount, bar))
    more = len(images) - _MOST_IMAGES
    name = f"total · {plural(totals.images, 'image')} done" + (f", {more} more" if more > 0 else "")
    table.add_row(Text(name, style="bold"), *_cells(totals.amount, bar))
    return Group(table, Text(_ways(meter), style="dim", no_wrap=True, overflow="ellipsis"))


def _cells(amount: Amount, bar: int) -> tuple[RenderableType, ...]:
    left = amount.seconds_left()
    return (
        ProgressBar(total=max(amount.expected, 1), completed=amount.done, width=bar),
        f"{size_text(amount.done)} / {size_text(amount.expected)}",
        f"{size_text(amount.rate.per_second())}/s",
        seconds_text(left) if left else "",
    )


def _ways(meter: Meter) -> str:
    """Say which blobs came which way, and what that took."""
    totals, amount = meter.totals, meter.totals.amount
    parts = [
        f"moved {plural(totals.blobs_moved, 'blob')}, {size_text(amount.moved)}",
        f"mounted {totals.blobs_mounted}, {size_text(amount.mounted)}",
        f"skipped {totals.blobs_skipped}, {size_text(amount.skipped)}",
        plural(totals.requests, "request"),
        f"{totals.failed} failed" if totals.failed else "",
    ]
    return " · ".join(filter(None, parts))
