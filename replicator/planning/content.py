"""Which images a rule wants by what they contain: labels, annotations, kind and size."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from replicator.errors import ConfigError
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.rule import TagSelection
from replicator.values import dataclass

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Refused:
    """A source digest that a rule turned down for its content, so that nobody reads it again.

    ``wanted`` is what the rule said then; a rule that says something else looks again.
    """

    destination: RepositoryName
    tag: Tag
    rule: str
    source_digest: Digest
    wanted: str
    reason: str


@dataclass(frozen=True, slots=True)
class Content:
    """What an image says of itself.

    ``labels`` are None when nobody had to read them; of an index they are those of its first
    image, and ``size`` is the sum of all its blobs. ``types`` are its artifact type, or else the
    media type of its config.
    """

    types: frozenset[str]
    annotations: Mapping[str, str]
    labels: Mapping[str, str] | None
    size: int


class ContentFilter:
    """The part of a selection that is about content."""

    def __init__(self, selection: TagSelection, *, where: str = "tags") -> None:
        """Compile the patterns. Raises ConfigError that names the field, below *where*."""
        self._labels = _pairs(selection.labels, f"{where}.labels")
        self._annotations = _pairs(selection.annotations, f"{where}.annotations")
        self._types = frozenset(selection.artifact_types)
        self._max_size = selection.max_size
        if self._max_size is not None and self._max_size < 1:
            raise ConfigError(f'{where}.max_size: nothing is so small; write "2GiB"')

    def __bool__(self) -> bool:
        return bool(self._labels or self._annotations or self._types or self._max_size)

    @property
    def needs_labels(self) -> bool:
        """Whether the config has to be read, and not only manifests."""
        return bool(self._labels)

    @property
    def text(self) -> str:
        """All that is wanted, so that it can be compared."""
        wanted = (
            *(f"label {key}={value}" for key, value in self._labels),
            *(f"annotation {key}={value}" for key, value in self._annotations),
            *(f"type {each}" for each in sorted(self._types)),
            f"size {self._max_size}" if self._max_size else "",
        )
        return "; ".join(filter(None, wanted))

    def refusal(self, content: Content) -> str:
        """Say what is wrong with *content*; empty if nothing is."""
        if self._types and not self._types & content.types:
            found = ", ".join(sorted(content.types)) or "of no type"
            return f"is {found}, which is none of artifact_types"
        if self._max_size and content.size > self._max_size:
            return f"has {_size(content.size)}, more than max_size = {_size(self._max_size)}"
        return _lacking("annotation", self._annotations, content.annotations) or _lacking(
            "label", self._labels, content.labels or {}
        )


def _pairs(texts: tuple[str, ...], where: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ConfigError(f'{where}: "{text}" has no value; write "key=value", or "key=*"')
        pairs.append((key, value))
    return tuple(pairs)


def _lacking(what: str, wanted: tuple[tuple[str, str], ...], found: Mapping[str, str]) -> str:
    for key, pattern in wanted:
        if key not in found:
            return f"has no {what} {key}"
        # Its regular expressions do not backtrack across a "*" since Python 3.11.
        if not fnmatchcase(found[key], pattern):
            return f'has {what} {key}="{found[key][:100]}", which is not "{pattern}"'
    return ""


def _size(number: float) -> str:
    unit = 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{number:.0f} B"
