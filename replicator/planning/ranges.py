"""Ranges of versions: ``>=3.18``, ``>=1.2 <2``, ``^1.2``, ``~1.4``, ``1.x``, ``1.x || 3.x``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Self, TypeAlias

from replicator.errors import ConfigError
from replicator.planning.versions import Version, without_zeros
from replicator.values import dataclass

_TERM: Final = re.compile(r"(>=|<=|>|<|=|\^|~)?\s*([^\s,<>=^~|]+)", re.ASCII)
_WILD: Final = re.compile(r"[vV]?(\d+(?:\.\d+)*\.)?[xX*](?:\.[xX*])*", re.ASCII)
_HINT: Final = 'write for example ">=1.2 <2", "^1.2", "~1.4", "1.x" or two of them with "||"'

_Key: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Comparator:
    """``>=``, ``>``, ``<`` or ``<=`` and a version."""

    sign: str
    bound: Version

    def holds(self, version: Version) -> bool:
        """Say whether *version* is on the right side of the bound.

        A bound without suffix is about numbers alone: a pre-release of 2.0 is not below 2.0,
        and 1.2.3-4 is not above 1.2.3. A dated version is in no range of numbers.
        """
        if version.dated != self.bound.dated:
            return False
        if self.bound.prerelease or self.bound.revision:
            return _SIGNS[self.sign](version.key, self.bound.key)
        return _SIGNS[self.sign](without_zeros(version.numbers), without_zeros(self.bound.numbers))

    def __str__(self) -> str:
        return f"{self.sign}{self.bound}"


_SIGNS: Final[dict[str, Callable[[_Key, _Key], bool]]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Range:
    """One or more alternatives, each a list of comparators that must all hold."""

    text: str
    alternatives: tuple[tuple[Comparator, ...], ...]

    @classmethod
    def parse(cls, text: str, *, where: str) -> Self:
        """Read a range as npm writes it; numbers may be fewer or more than three.

        ``1.2`` and ``=1.2`` mean 1.2.x; ``<=1.2`` takes in all of 1.2.x, and ``>1.2`` none of
        it. Raises ConfigError that names *where* it stands.
        """
        return cls(text, tuple(_alternative(part, text, where) for part in text.split("||")))

    def contains(self, version: Version) -> bool:
        """Say whether *version* is in the range; variants count as the version they are of."""
        return any(
            all(comparator.holds(version) for comparator in alternative)
            for alternative in self.alternatives
        )

    def overlaps(self, other: Range) -> bool:
        """Say whether some version is in both ranges.

        If two unions of intervals meet at all, they meet at the lower end of one of the
        intervals, or just above it.
        """
        candidates = [Version((0,)), Version((1970, 1, 1), dated=True)]
        for comparator in (*self._comparators(), *other._comparators()):
            bound = comparator.bound
            candidates += [bound, replace(bound, numbers=(*_padded(bound.numbers), 1))]
        return any(self.contains(version) and other.contains(version) for version in candidates)

    def _comparators(self) -> tuple[Comparator, ...]:
        return tuple(comparator for each in self.alternatives for comparator in each)


def _padded(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return (*numbers, *(0,) * (8 - len(numbers)))


def _alternative(part: str, text: str, where: str) -> tuple[Comparator, ...]:
    comparators: list[Comparator] = []
    position, wanted = 0, part.replace(",", " ").strip()
    if not wanted:
        raise _bad(where, text, "a part is empty")
    while position < len(wanted):
        found = _TERM.match(wanted, position)
        if found is None:
            raise _bad(where, text, f'cannot read "{wanted[position:]}"')
        comparators += _term(found[1] or "", found[2], text, where)
        position = found.end()
        while position < len(wanted) and wanted[position].isspace():
            position += 1
    return tuple(comparators)


def _term(sign: str, number: str, text: str, where: str) -> tuple[Comparator, ...]:
    """Turn one term into plain comparisons."""
    bound = _bound(number, text, where)
    if bound is None:
        if sign:
            raise _bad(where, text, f'"{sign}{number}" compares with no number')
        return ()
    match sign:
        case ">=" | "<":
            return (Comparator(sign, bound),)
        case ">" if _is_partial(bound):
            return (Comparator(">=", _next(bound, len(bound.numbers) - 1)),)
        case "<=" if _is_partial(bound):
            return (Comparator("<", _next(bound, len(bound.numbers) - 1)),)
        case ">" | "<=":
            return (Comparator(sign, bound),)
        case "^":
            return _up_to(bound, _first_nonzero(bound.numbers))
        case "~":
            return _up_to(bound, min(1, len(bound.numbers) - 1))
        case _ if _is_partial(bound):
            return _up_to(bound, len(bound.numbers) - 1)
        case _:
            return (Comparator(">=", bound), Comparator("<=", bound))


def _bound(number: str, text: str, where: str) -> Version | None:
    """Read the version of a term; None for ``*``."""
    if wild := _WILD.fullmatch(number):
        if not wild[1]:
            return None
        number = wild[1].rstrip(".")
    if number == "-":
        raise _bad(where, text, 'write ">=A <=B" for everything between A and B')
    if number.startswith("!"):
        raise _bad(where, text, 'leave versions out with exclude = ["1.2.3*"]')
    version = Version.parse(number)
    if version is None:
        raise _bad(where, text, f'"{number}" is not a version')
    if version.variant:
        raise _bad(
            where,
            text,
            f'"{version.variant}" is a variant, and a range is about numbers; '
            f'select variants with include = ["*-{version.variant}"]',
        )
    return version


def _is_partial(version: Version) -> bool:
    return (
        len(version.numbers) < 3
        and not version.dated
        and not version.prerelease
        and not version.revision
    )


def _up_to(bound: Version, place: int) -> tuple[Comparator, ...]:
    """Everything from *bound* on in which the numbers up to *place* stay the same."""
    return (Comparator(">=", bound), Comparator("<", _next(bound, place)))


def _next(bound: Version, place: int) -> Version:
    numbers = bound.numbers
    return replace(
        bound, numbers=(*numbers[:place], numbers[place] + 1), prerelease="", revision=""
    )


def _first_nonzero(numbers: tuple[int, ...]) -> int:
    """Where ``^`` draws the line: the first number that is not zero, or the last one given."""
    for place, number in enumerate(numbers[:3]):
        if number:
            return place
    return min(len(numbers), 3) - 1


def _bad(where: str, text: str, reason: str) -> ConfigError:
    return ConfigError(f'{where}: range "{text}": {reason}; {_HINT}')
