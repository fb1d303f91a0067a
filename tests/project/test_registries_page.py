"""docs/quirks.md says which test shows each quirk, or why none does; those tests are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "quirks.md", ROOT / "docs" / "registries.md"]
_ROW = re.compile(r"\| (\d+) \| (.+) \|")
_SHOWN_BY = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
# The number of those that were known when the page was made.
LEAST = 115


def rows() -> list[tuple[int, list[str]]]:
    found = _ROW.findall(PAGES[0].read_text())
    return [(int(number), re.split(r" \| ", rest)) for number, rest in found]


def test_each_quirk_has_a_row_with_a_test_or_a_reason():
    assert [number for number, _ in rows()] == list(range(1, len(rows()) + 1))
    assert len(rows()) >= LEAST
    for number, cells in rows():
        assert len(cells) == 4, number
        shown_by = cells[-1]
        assert _SHOWN_BY.fullmatch(shown_by) or re.match(r"– \w.{20,}", shown_by), number


def test_every_test_that_the_pages_name_is_there():
    text = "".join(page.read_text() for page in PAGES)
    named = _SHOWN_BY.findall(text)

    assert named
    for file, name in named:
        assert re.search(rf"def {name}\(", (ROOT / "tests" / file).read_text()), f"{file}::{name}"
