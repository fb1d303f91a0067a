"""What axe does not look at: that bars and lines of plots stand out from what is behind them."""

from __future__ import annotations

import re

import pytest

from replicator.page.rendering import STATIC_FOLDER

_COLOUR = re.compile(r"--([\w-]+): #([0-9a-f]{6});")
_LIGHT, _DARK = (STATIC_FOLDER / "page.css").read_text().split("prefers-color-scheme: dark")


@pytest.mark.parametrize("scheme", [_LIGHT, _DARK], ids=["light", "dark"])
def test_each_colour_of_a_plot_has_the_contrast_that_wcag_wants_of_graphics(scheme):
    colours = dict(_COLOUR.findall(scheme))
    series = {name: each for name, each in colours.items() if name.startswith("series-")}

    assert len(series) == 6
    assert {name for name, each in series.items() if contrast(each, colours["card"]) < 3} == set()


def contrast(one, other):
    """How WCAG 2.2 compares two colours: 1 for the same, 21 for black and white."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    parts = (int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4))
    linear = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
