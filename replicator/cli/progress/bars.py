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
from replicator.values import dataclass

# Images that a terminal shows at once; the total is always there.
_MOST_IMAGES: Final = 12
_PER_SECOND: Final = 8


@dataclass(frozen=True, slots=True)
class _Layout:
    """In characters: the bar, and the numbers with all gaps; what is left is for the name.

    *in_bytes* says how far an image is by its bytes, for which a narrow terminal has no room.
    """

    bar: int
    numbers: int
    in_bytes: bool = True


_WIDE: Final = _Layout(24, 52)
_USUAL: Final = _Layout(12, 52)
_NARROW: Final = _Layout(8, 32, in_bytes=False)


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
    layout = _layout(width)
    room = width - layout.bar - layout.numbers
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(width=layout.bar)
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    for image in images[:_MOST_IMAGES]:
        name = shortened(printable(image.name), room)
        table.add_row(Text(name), *_cells(image.amount, layout))
    total = _total(totals.images, len(images) - _MOST_IMAGES, room)
    table.add_row(Text(total, style="bold"), *_cells(totals.amount, layout))
    return Group(table, Text(_ways(meter), style="dim", no_wrap=True, overflow="ellipsis"))


def _layout(width: int) -> _Layout:
    if width < 90:
        return _NARROW
    return _USUAL if width < 110 else _WIDE


def _total(done: int, more: int, room: int) -> str:
    """Return as much about all images as there is *room* for."""
    images = f"total · {plural(done, 'image')}"
    fuller = (f"{images} done, {more} more", f"{images}, {more} more") if more > 0 else ()
    texts = (*fuller, f"{images} done", images)
    return next((text for text in texts if len(text) <= room), "total")


def _cells(amount: Amount, layout: _Layout) -> tuple[RenderableType, ...]:
    left, expected = amount.seconds_left(), max(amount.expected, 1)
    sizes = f"{size_text(amount.done)} / {size_text(amount.expected)}"
    return (
        ProgressBar(total=expected, completed=amount.done, width=layout.bar),
        sizes if layout.in_bytes else f"{100 * amount.done // expected} %",
        f"{size_text(amount.rate.per_second())}/s",
        seconds_text(left) if left else "",
    )


def _ways(meter: Meter) -> str:
    """Say which blobs came which way, and what that took."""
    totals, amount = meter.totals, meter.totals.amount
    parts = [
        f"{totals.failed} failed" if totals.failed else "",
        f"moved {plural(totals.blobs_moved, 'blob')}, {size_text(amount.moved)}",
        f"mounted {totals.blobs_mounted}, {size_text(amount.mounted)}",
        f"skipped {totals.blobs_skipped}, {size_text(amount.skipped)}",
        plural(totals.requests, "request"),
    ]
    return " · ".join(filter(None, parts))
