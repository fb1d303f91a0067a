"""Ranges of versions as regsync reads them, which is in a way of its own."""

from __future__ import annotations

import re
from typing import Final

_TERM: Final = re.compile(r"(>=|<=|>|<|=|\^|~)?v?(\d+(?:\.\d+)*)", re.ASCII)


def range_of(text: str) -> str | None:
    """Return a range of ours that has the same versions; None if *text* is none of theirs.

    There every version has three numbers, the missing ones are 0, and ``^0`` is ``0.0.0`` alone.
    """
    terms = [_TERM.fullmatch(term) for term in text.split()]
    if not terms or None in terms:
        return None
    return " ".join(_term(found[1] or "=", found[2]) for found in terms if found)


def _term(sign: str, version: str) -> str:
    numbers = [int(number) for number in version.split(".")]
    numbers += [0] * (3 - len(numbers))
    bound = ".".join(map(str, numbers))
    match sign:
        case "^":
            first = next((n for n, number in enumerate(numbers[:3]) if number), 2)
            return f">={bound} <{_after(numbers, first)}"
        case "~":
            return f">={bound} <{_after(numbers, 1)}"
        case _:
            return f"{sign}{bound}"


def _after(numbers: list[int], place: int) -> str:
    """Return the version whose number at *place* is one more, and those behind it 0."""
    raised = [*numbers[:place], numbers[place] + 1, *([0] * (2 - place))]
    return ".".join(map(str, raised))
