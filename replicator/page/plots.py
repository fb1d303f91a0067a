"""Plots: where bars and lines are, for a template to draw as SVG, which needs no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from replicator.page import words
from replicator.store.traffic import Span
from replicator.values import dataclass

# In units of the drawing, which the style scales to the page.
WIDTH: Final = 640
HEIGHT: Final = 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 8, 10, 24
_GAP: Final = 0.28
_MOST_SERIES: Final = 6
SPARK_WIDTH: Final = 84
SPARK_HEIGHT: Final = 22


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; *series* says which colour, *about* what it stands for."""

    x: float
    y: float
    width: float
    height: float
    series: int
    about: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A label on an axis, at a distance from its beginning."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing: *series* are the names of what is in it, *rows* the same numbers as a table."""

    title: str
    series: Sequence[str]
    bars: Sequence[Bar]
    y_marks: Sequence[Mark]
    x_marks: Sequence[Mark]
    rows: Sequence[Sequence[str]]
    path: str = ""
    limit: float | None = None

    @property
    def is_empty(self) -> bool:
        return not self.bars and not self.path


def bars_by_day(
    title: str,
    days: Sequence[date],
    series: Mapping[str, Mapping[date, float]],
    written: Callable[[float], str],
    *,
    binary: bool = False,
) -> Plot:
    """Stack a bar for each day; what is beyond a few series is added up as the last one."""
    shown = _few(series)
    totals = [sum(values.get(day, 0) for values in shown.values()) for day in days]
    top = nice_top(max(totals, default=0), binary=binary)
    step = (WIDTH - _LEFT - _RIGHT) / len(days)
    bars: list[Bar] = []
    for place, day in enumerate(days):
        y = float(HEIGHT - _BOTTOM)
        for number, (name, values) in enumerate(shown.items()):
            height = (HEIGHT - _TOP - _BOTTOM) * values.get(day, 0) / top
            if height <= 0:
                continue
            y -= height
            x = _LEFT + step * (place + _GAP / 2)
            about = f"{day:%d %b}: {written(values[day])} {name}"
            bars.append(_bar(x, y, step * (1 - _GAP), height, number, about))
    rows = [
        (f"{day:%Y-%m-%d}", *(written(values.get(day, 0)) for values in shown.values()))
        for day in days
    ]
    return Plot(title, tuple(shown), bars, _y_marks(top, written), _x_marks(days), rows)


def lag_line(
    title: str,
    days: Sequence[date],
    spans: Sequence[Span],
    objective: timedelta | None,
    now: datetime,
) -> Plot:
    """Draw how old what the destination surely has was at each moment.

    It grows with time, and falls when a good run ends, to the time since that run began.
    """
    begin = datetime.combine(days[0], datetime.min.time(), now.tzinfo)
    good = [span for span in spans if span.good]
    if not good:
        return Plot(title, (), (), (), (), ())
    ends = [*(each.finished_at for each in good[1:]), now]
    peaks = [end - each.started_at for each, end in zip(good, ends, strict=True)]
    highest = max(max(peaks), objective or timedelta(0)).total_seconds()
    top = _nice_span(highest)
    across = (WIDTH - _LEFT - _RIGHT) / (now - begin).total_seconds()

    def point(at: datetime, lag: timedelta) -> str:
        x = _LEFT + max(0.0, (at - begin).total_seconds()) * across
        return f"{x:.1f},{_height(lag.total_seconds(), top):.1f}"

    path = "M" + " L".join(
        f"{point(each.finished_at, each.finished_at - each.started_at)} L{point(end, peak)}"
        for each, end, peak in zip(good, ends, peaks, strict=True)
    )
    rows = [
        (f"{each.finished_at:%Y-%m-%d %H:%M}", words.span(peak))
        for each, peak in zip(good, peaks, strict=True)
    ]
    marks = [
        Mark(_height(top * part, top), words.span(timedelta(seconds=top * part)))
        for part in (0, 0.5, 1)
    ]
    limit = None if objective is None else _height(objective.total_seconds(), top)
    return Plot(title, ("lag",), (), marks, _x_marks(days), rows, path, limit)


def spark(days: Sequence[date], values: Mapping[date, float]) -> Sequence[Bar]:
    """Return small bars, one for each day on which there was something."""
    most, step = max(values.values(), default=0), SPARK_WIDTH / len(days)
    return [
        _bar(
            step * place + step * 0.1,
            SPARK_HEIGHT - max(1.0, SPARK_HEIGHT * values[day] / most),
            step * 0.8,
            max(1.0, SPARK_HEIGHT * values[day] / most),
            0,
            f"{day:%d %b}: {words.size(values[day])}",
        )
        for place, day in enumerate(days)
        if values.get(day, 0) > 0
    ]


def nice_top(highest: float, *, binary: bool) -> float:
    """Return the end of an axis: not much above the highest value, and a number that reads well."""
    if highest <= 0:
        return 1
    unit = 1024.0 ** int(math.log(highest, 1024)) if binary and highest >= 1 else 1
    value = highest / unit
    power = 10.0 ** math.floor(math.log10(value))
    nice = next(step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if value <= step * power * 1.0001)
    return max(nice * power * unit, 1)


def _few(series: Mapping[str, Mapping[date, float]]) -> dict[str, Mapping[date, float]]:
    if len(series) <= _MOST_SERIES:
        return dict(series)
    ordered = sorted(series, key=lambda name: -sum(series[name].values()))
    few: dict[str, Mapping[date, float]] = {
        name: series[name] for name in ordered[: _MOST_SERIES - 1]
    }
    rest: dict[date, float] = {}
    for name in ordered[_MOST_SERIES - 1 :]:
        for day, value in series[name].items():
            rest[day] = rest.get(day, 0) + value
    return {**few, "others": rest}


def _nice_span(seconds: float) -> float:
    steps = (1, 5, 10, 30, 60, 120, 240, 360, 480, 720, 960, 1440)
    for minutes in steps:
        if seconds <= minutes * 60:
            return minutes * 60
    return math.ceil(seconds / 172_800) * 172_800


def _height(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(value / top, 1)


def _y_marks(top: float, written: Callable[[float], str]) -> Sequence[Mark]:
    return [Mark(_height(top * part, top), written(top * part)) for part in (0, 0.5, 1)]


def _x_marks(days: Sequence[date]) -> Sequence[Mark]:
    """Name every third day, and always today."""
    step, last = (WIDTH - _LEFT - _RIGHT) / len(days), len(days) - 1
    return [
        Mark(round(_LEFT + step * (place + 0.5), 1), f"{day.day} {day:%b}")
        for place, day in enumerate(days)
        if (last - place) % 3 == 0
    ]


def _bar(x: float, y: float, width: float, height: float, series: int, about: str) -> Bar:
    return Bar(round(x, 1), round(y, 1), round(width, 1), round(height, 1), series, about)
