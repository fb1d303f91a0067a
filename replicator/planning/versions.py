"""Versions as tags write them, and their order."""

from __future__ import annotations

import re
from datetime import date
from typing import Final, Self, TypeAlias

from replicator.values import dataclass

# A key of text in which rc10 comes after rc9: numbers and words, in turn.
_Natural: TypeAlias = tuple[tuple[int, int, str], ...]
VersionKey: TypeAlias = tuple[bool, tuple[int, ...], bool, _Natural, _Natural]

_NUMBERS: Final = re.compile(r"[vV]?(\d+(?:\.\d+)*)(.*)", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(\d{4}|\d{6})?(?!\d)(.*)", re.ASCII)
# Python writes 3.13.0rc1 and OpenSSL 1.1.1w: letters that follow the number directly.
_ATTACHED: Final = re.compile(
    r"(?:[ab]\d+|(?:rc|alpha|beta|pre|dev)\d*|[a-z])(?=$|[-_.+])", re.ASCII
)
_PRERELEASE: Final = re.compile(
    r"(?:alpha|beta|rc|cr|pre|preview|prerelease|dev|devel|snapshot|nightly|canary|ea|milestone"
    r"|unstable|experimental|next|insiders)\d*|[abm]\d+",
    re.ASCII | re.IGNORECASE,
)
_REVISION: Final = re.compile(r"(?:r|p|rev|patch|build|u|sp|post)?\d+", re.ASCII | re.IGNORECASE)
_FINAL: Final = frozenset({"final", "ga", "release", "stable"})
_SEPARATORS: Final = re.compile(r"[-_.+]")
_PIECES: Final = re.compile(r"\d+|[^\d.]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """What a tag says about its version, read loosely.

    ``numbers`` are those between the dots. What follows them is told apart by its words:

    - ``prerelease``: ``-alpha.1``, ``-rc2``, ``rc1``, ``-SNAPSHOT``; comes before the version
      without it;
    - ``revision``: ``-4``, ``-r0``, ``w`` in ``1.1.1w``; comes after it;
    - ``variant``: anything else, such as ``-alpine`` or ``-slim-bookworm``: the same version
      of another build.

    A ``dated`` version (``20240329``, ``2024-03-29``) is a day and no number: it is older than
    every version that is not, so that a snapshot of a day never passes for release 20,240,329.
    """

    numbers: tuple[int, ...]
    prerelease: str = ""
    revision: str = ""
    variant: str = ""
    dated: bool = False

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a version from the start of *text*; None when there is none."""
        found = _DATE.fullmatch(text)
        if found and _is_day(found):
            numbers = tuple(int(part) for part in found.group(1, 2, 3, 4) if part)
            return cls._with_suffix(numbers, found[5], dated=True)
        found = _NUMBERS.fullmatch(text)
        if found is None:
            return None
        return cls._with_suffix(tuple(map(int, found[1].split("."))), found[2])

    @classmethod
    def _with_suffix(
        cls, numbers: tuple[int, ...], suffix: str, *, dated: bool = False
    ) -> Self | None:
        attached = _ATTACHED.match(suffix) if len(numbers) > 1 else None
        if attached is None and suffix and suffix[0] not in "-_.+" and not dated:
            return None  # 7e3a5b2 is a commit, not version 7
        words = [word for word in _SEPARATORS.split(suffix) if word]
        prerelease, revision, variant = _sort_words(words)
        return cls(numbers, prerelease, revision, variant, dated)

    @property
    def key(self) -> VersionKey:
        """What versions are ordered by; variants of one version have the same key."""
        return (
            not self.dated,
            without_zeros(self.numbers),
            not self.prerelease,
            _natural(self.prerelease),
            _natural(self.revision),
        )

    @property
    def order(self) -> tuple[VersionKey, int, _Natural]:
        """A total order: of equal versions, the one that says more comes later."""
        return (self.key, len(self.numbers), _natural(self.variant))

    def __str__(self) -> str:
        numbers = (f"{number:02}" if self.dated else str(number) for number in self.numbers)
        suffix = "-".join(filter(None, (self.prerelease, self.revision, self.variant)))
        return ("-" if self.dated else ".").join(numbers) + (f"-{suffix}" if suffix else "")


def _sort_words(words: list[str]) -> tuple[str, str, str]:
    """Tell the words of a suffix apart: pre-release, revision, variant."""
    prerelease: list[str] = []
    revision: list[str] = []
    variant: list[str] = []
    for word in words:
        if variant:
            variant.append(word)
        elif _PRERELEASE.fullmatch(word):
            prerelease.append(word.lower())
        elif _REVISION.fullmatch(word) or (len(word) == 1 and not revision and word == words[0]):
            (prerelease or revision).append(word.lower())
        elif word.lower() not in _FINAL:
            variant.append(word)
    return ".".join(prerelease), ".".join(revision), "-".join(variant)


def _is_day(found: re.Match[str]) -> bool:
    year, month, day = (int(part) for part in found.group(1, 2, 3))
    try:
        date(year, month, day)
    except ValueError:
        return False
    return 1970 <= year < 2200


def without_zeros(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return *numbers* as they compare: 1.2 and 1.2.0 are the same."""
    end = len(numbers)
    while end and not numbers[end - 1]:
        end -= 1
    return numbers[:end]


def _natural(text: str) -> _Natural:
    return tuple(
        (0, int(piece), "") if piece.isdecimal() else (1, 0, piece)
        for piece in _PIECES.findall(text)
    )
