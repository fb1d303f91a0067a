"""Lines over a logarithmic axis, as SVG: all that the pictures of growth need."""

from __future__ import annotations

import math
from dataclasses import dataclass

_WIDTH, _HEIGHT, _GAP = 360, 240, 90
_LEFT, _TOP, _BOTTOM = 60, 50, 40
_COLOUR = "#2563eb"


@dataclass(frozen=True)
class Line:
    title: str
    points: list


def draw(title, lines):
    """Draw *lines* beside each other, each with an axis of its own."""
    width = _LEFT + len(lines) * (_WIDTH + _GAP)
    height = _TOP + _HEIGHT + _BOTTOM
    panels = "\n".join(
        _panel(line, title, _LEFT + number * (_WIDTH + _GAP)) for number, line in enumerate(lines)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" \
font-family="sans-serif" font-size="12" fill="#444">
<title>{title}</title>
<rect width="{width}" height="{height}" fill="white"/>
{panels}
</svg>
"""


def _panel(line, below, left):
    """Draw one line: both axes logarithmic, so that what is linear has the slope of the grid."""
    low, high = _decades(n for n, _ in line.points)
    least, most = _decades(value for _, value in line.points)

    def x(n):
        return left + _WIDTH * (math.log10(n) - low) / (high - low)

    def y(value):
        return _TOP + _HEIGHT * (1 - (math.log10(value) - least) / (most - least))

    parts = [f'<text x="{left}" y="{_TOP - 20}" font-size="14">{line.title}</text>']
    for decade in range(low, high + 1):
        at = x(10**decade)
        parts.append(_rule(at, _TOP, at, _TOP + _HEIGHT))
        parts.append(_words(at, _TOP + _HEIGHT + 16, f"{10**decade:,}", "middle"))
    for decade in range(least, most + 1):
        at = y(10**decade)
        parts.append(_rule(left, at, left + _WIDTH, at))
        parts.append(_words(left - 6, at + 4, f"{10**decade:,g}", "end"))
    path = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in line.points)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{_COLOUR}" stroke-width="2"/>')
    for n, value in line.points:
        parts.append(f'<circle cx="{x(n):.1f}" cy="{y(value):.1f}" r="3" fill="{_COLOUR}"/>')
        parts.append(_words(x(n), y(value) - 8, f"{value:.3g}", "middle"))
    parts.append(_words(left + _WIDTH / 2, _TOP + _HEIGHT + 34, below, "middle"))
    return "\n".join(parts)


def _decades(values):
    found = [math.log10(value) for value in values]
    low, high = math.floor(min(found)), math.ceil(max(found))
    return low, max(high, low + 1)


def _rule(x1, y1, x2, y2):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _words(x, y, text, anchor):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
