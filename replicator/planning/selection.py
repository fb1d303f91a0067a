"""Which tags a rule selects, and the reason for each."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from replicator.errors import ConfigError, InvalidReference
from replicator.oci.reference import Tag
from replicator.planning.content import ContentFilter
from replicator.planning.observation import SourceTag
from replicator.planning.patterns import Glob, Pattern, Regex
from replicator.planning.rule import Order, TagSelection
from replicator.values import dataclass

if TYPE_CHECKING:
    from replicator.planning.ranges import Range
    from replicator.planning.versions import Version

# The capture of an include pattern that says which part of a tag is its version.
VERSION_CAPTURE: Final = "version"

# Cosign's tags and those of the referrers tag schema name a subject; they are copied with it
# and are never images of their own. (distribution-spec, "Referrers Tag Schema")
_DIGEST_TAG: Final = re.compile(r"sha(?:256|512)-([0-9a-f]{64,128})(?:\..*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a tag is selected, and why; ``captures`` are what its patterns named."""

    tag: SourceTag
    selected: bool
    reason: str
    captures: Mapping[str, str] = field(default_factory=dict)


def subject_digits(tag: str) -> str | None:
    """Return the hex digits of the subject that a tag such as ``sha256-….sig`` belongs to."""
    found = _DIGEST_TAG.fullmatch(tag)
    return None if found is None else found[1]


class Selector:
    """A selection made ready for many tags.

    A tag is selected when it matches an include glob and a regular expression (where there are
    any), no exclusion, is in the version range and of the wanted age; of those the latest are
    kept. With a range, or *latest* by version, tags without a version and pre-releases are out.
    Variants (``3.20-slim``) are in only where include or regex is given, which then decides
    about them: ``semver = ">=3.10"`` alone means plain versions.
    """

    def __init__(self, selection: TagSelection, *, where: str = "tags") -> None:
        """Compile the patterns. Raises ConfigError that names the field, below *where*."""
        self.selection = selection
        self.include = _globs(selection.include, f"{where}.include")
        self.regex = _regexes(selection.regex, f"{where}.regex")
        self.range = _range(selection.semver, f"{where}.semver") if selection.semver else None
        self.content = ContentFilter(selection, where=where)
        self._included = _AnyOf(self.include)
        self._matched = _AnyOf(self.regex)
        self._excluded = _AnyOf(
            (
                *_globs(selection.exclude, f"{where}.exclude"),
                *_regexes(selection.exclude_regex, f"{where}.exclude_regex"),
            )
        )

    @property
    def literal_tags(self) -> tuple[Tag, ...] | None:
        """The tags when each is named; None when they must be listed.

        Which of the named ones are the latest is known only once it is known which exist.
        """
        literals = [glob.literal for glob in self.include]
        if not literals or None in literals or self.selection.latest is not None:
            return None
        return tuple(dict.fromkeys(Tag(text) for text in literals if text is not None))

    @property
    def needs_all(self) -> bool:
        """Whether no tag can be judged before all have been seen."""
        return self.selection.latest is not None

    @property
    def needs_creation(self) -> bool:
        """Whether it matters when a tag was made."""
        ages = (self.selection.newer_than, self.selection.older_than)
        return any(age is not None for age in ages) or self._latest_by(Order.CREATED)

    @property
    def captures(self) -> frozenset[str]:
        """The names that every selected tag has captured."""
        groups = [
            frozenset.intersection(*(frozenset(pattern.captures) for pattern in patterns))
            for patterns in (self.include, self.regex)
            if patterns
        ]
        return frozenset().union(*groups)

    def most_selected(self, tags: Collection[Tag]) -> int:
        """Return how many of *tags* are selected by their names, at most."""
        number = sum(self.judge_name(SourceTag(tag, None)).selected for tag in tags)
        return number if self.selection.latest is None else min(number, self.selection.latest)

    def excludes(self, tag: Tag) -> bool:
        """Say whether *tag* is out by its name, whatever else is true of it."""
        return self._excluded.match(tag) is not None

    def select(self, tags: Iterable[SourceTag], *, now: datetime) -> list[Verdict]:
        """Judge all *tags* of a repository, in their order."""
        verdicts = [self.judge(tag, now=now) for tag in tags]
        if self.selection.latest is None:
            return verdicts
        return self._keep_latest(verdicts, self.selection.latest)

    def judge(self, tag: SourceTag, *, now: datetime) -> Verdict:
        """Judge one tag, leaving aside which are the latest."""
        verdict = self.judge_name(tag)
        refusal = self._wrong_age(tag, now) if verdict.selected else ""
        return replace(verdict, selected=False, reason=refusal) if refusal else verdict

    def judge_name(self, tag: SourceTag) -> Verdict:
        """Judge one tag by its name alone."""
        if subject_digits(tag.tag):
            return Verdict(tag, False, "names a digest; it is copied with the image it belongs to")
        included, matched = self._included.match(tag.tag), self._matched.match(tag.tag)
        if self.include and included is None:
            return Verdict(tag, False, "matches no include pattern")
        if self.regex and matched is None:
            return Verdict(tag, False, "matches no regular expression")
        if excluded := self._excluded.match(tag.tag):
            return Verdict(tag, False, f'is excluded by "{excluded.pattern.text}"')
        captures = {
            **(included.captures if included else {}),
            **(matched.captures if matched else {}),
        }
        refusal = self._wrong_version(tag.tag, captures)
        if refusal:
            return Verdict(tag, False, refusal)
        return Verdict(tag, True, self._praise(included or matched), captures)

    def _wrong_version(self, tag: Tag, captures: Mapping[str, str]) -> str:
        """Say what is wrong with a tag's version, where versions matter."""
        if self.range is None and not self._latest_by(Order.VERSION):
            return ""
        version = _version(tag, captures)
        if version is None:
            return "is not a version"
        if version.prerelease and not self.selection.prerelease:
            return "is a pre-release; prerelease = true selects those too"
        if version.variant and not self.include and not self.regex:
            return f'is the variant "{version.variant}"; select those by include or regex'
        if self.range is not None and not self.range.contains(version):
            return f"is not in {self.range.text}"
        return ""

    def _wrong_age(self, tag: SourceTag, now: datetime) -> str:
        """Say what is wrong with a tag's age, where that matters."""
        if not self.needs_creation:
            return ""
        if tag.created is None:
            return "nobody knows when it was made"
        newest, oldest = self.selection.older_than, self.selection.newer_than
        if oldest is not None and tag.created < now - oldest:
            return f"was made {tag.created:%Y-%m-%d}, which is too long ago"
        if newest is not None and tag.created > now - newest:
            return f"was made {tag.created:%Y-%m-%d}, which is too recent"
        return ""

    def _praise(self, match: _Match | None) -> str:
        reasons = [f'matches "{match.pattern.text}"'] if match else []
        if self.range is not None:
            reasons.append(f"is in {self.range.text}")
        return " and ".join(reasons) or "every tag is selected"

    def _keep_latest(self, verdicts: list[Verdict], number: int) -> list[Verdict]:
        """Turn down all selected but the latest *number* of them."""
        selected = [verdict for verdict in verdicts if verdict.selected]
        newest = sorted(selected, key=self._recency, reverse=True)
        kept = {verdict.tag.tag for verdict in newest[:number]}
        return [
            replace(verdict, selected=False, reason=f"is not among the latest {number}")
            if verdict.selected and verdict.tag.tag not in kept
            else verdict
            for verdict in verdicts
        ]

    def _recency(self, verdict: Verdict) -> tuple[object, ...]:
        tag = verdict.tag
        if self._latest_by(Order.CREATED):
            return (tag.created, tag.tag)
        version = _version(tag.tag, verdict.captures)
        return (version and version.order, tag.tag)

    def _latest_by(self, order: Order) -> bool:
        return self.selection.latest is not None and self.selection.order is order


@dataclass(frozen=True, slots=True)
class _Match:
    pattern: Pattern
    captures: Mapping[str, str]


class _AnyOf:
    """Patterns of which one must match; names without wildcards are found at once."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._literals: dict[str, Pattern] = {}
        self._wild: list[Pattern] = []
        for pattern in patterns:
            literal = pattern.literal if isinstance(pattern, Glob) else None
            if literal is None:
                self._wild.append(pattern)
            else:
                self._literals.setdefault(literal, pattern)

    def match(self, name: str) -> _Match | None:
        if name in self._literals:
            return _Match(self._literals[name], {})
        for pattern in self._wild:
            captures = pattern.match(name)
            if captures is not None:
                return _Match(pattern, captures)
        return None


def _range(text: str, where: str) -> Range:
    from replicator.planning.ranges import Range

    return Range.parse(text, where=where)


def _version(tag: Tag, captures: Mapping[str, str]) -> Version | None:
    from replicator.planning.versions import Version

    return Version.parse(captures.get(VERSION_CAPTURE, tag))


def _globs(texts: tuple[str, ...], where: str) -> tuple[Glob, ...]:
    globs = tuple(Glob.of_tags(text, where=where) for text in texts)
    for glob in globs:
        if glob.literal is not None:
            _check_tag(glob.literal, where)
    return globs


def _check_tag(text: str, where: str) -> None:
    try:
        Tag(text)
    except InvalidReference as error:
        raise ConfigError(f"{where}: {error}") from None


def _regexes(texts: tuple[str, ...], where: str) -> tuple[Regex, ...]:
    return tuple(Regex.of_tags(text, where=where) for text in texts)
