"""What a rule may read and write, as patterns, so that two rules can be held against each other."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from replicator.errors import InvalidReference
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.mapping import Template, names_of
from replicator.planning.observation import SourceTag
from replicator.planning.overlap import Steps, anything, common_names, literal
from replicator.planning.patterns import REPOSITORY_CHARACTERS, TAG_CHARACTERS, Step
from replicator.planning.prepared import PreparedRule
from replicator.planning.source import Source
from replicator.values import dataclass

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_WITHIN: Final = REPOSITORY_CHARACTERS - {"/"}
_SLASH: Final = frozenset("/")
_SOME_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Claim:
    """Repositories that a rule reads, and those that it writes by one of its templates.

    ``source`` and ``destination`` match the paths; ``repository`` is the one source repository
    where the rule names it, and ``path`` is then the one destination's path.
    """

    rule: PreparedRule
    template: Template
    source: Steps
    destination: Steps
    repository: RepositoryName | None = None
    path: str | None = None

    @property
    def name(self) -> str:
        return self.rule.rule.name


def claims_of(rule: PreparedRule) -> Iterator[Claim]:
    """Yield a claim for each way from the rule's repositories to a destination.

    Raises InvalidReference when a named repository is mapped to what is no repository.
    """
    named = rule.source.repositories
    for template in rule.templates:
        if named is None:
            for source in _patterns(rule.source):
                yield Claim(rule, template, source, _destination(template, rule.source, source))
        else:
            for repository in named:
                captures = rule.source.match(repository) or {}
                path = template.repository(repository, captures).path
                yield Claim(
                    rule, template, literal(repository.path), literal(path), repository, path
                )


def shared_tag(one: Claim, other: Claim) -> str | None:
    """Return an example of a tag that both may write, as a reference; None if there is none."""
    if one.template.registry != other.template.registry:
        return None
    for path in common_names(one.destination, other.destination):
        repository = _repository(one.template.registry, path)
        if repository and _may_write(one, repository) and _may_write(other, repository):
            for tag in _shared_names(one, _written_tags(one), other, _written_tags(other)):
                return f"{repository}:{tag}"
    return None


def feeds(writer: Claim, reader: Claim) -> bool:
    """Say whether *reader* may read a tag that *writer* writes."""
    if writer.template.registry != reader.rule.source.registry:
        return False
    for path in common_names(writer.destination, reader.source):
        repository = _repository(writer.template.registry, path)
        if repository is None or reader.rule.source.match(repository) is None:
            continue
        if _may_write(writer, repository) and any(
            _shared_names(writer, _written_tags(writer), reader, _read_tags(reader))
        ):
            return True
    return False


def _patterns(source: Source) -> tuple[Steps, ...]:
    """Return patterns of the paths of a wildcard source; they may match more, never fewer."""
    if not source.include:
        return (source.glob.steps,)
    return tuple((*literal(source.fixed), *glob.steps) for glob in source.include)


def _destination(template: Template, source: Source, steps: Steps) -> Steps:
    values = {
        "registry": literal(names_of(RepositoryName(source.registry, "any"))["registry"]),
        "repository": steps,
        "name": _last_part(steps),
    }
    return _substitute(template.path, values, anything(_WITHIN))


def _substitute(template: str, values: Mapping[str, Steps], other: Steps) -> Steps:
    """Put patterns in the place of a template's placeholders; *other* where none is known."""
    steps: list[Step] = []
    for position, text in enumerate(_PLACEHOLDER.split(template)):
        steps += literal(text) if position % 2 == 0 else values.get(text, other)
    return tuple(steps)


def _last_part(steps: Steps) -> Steps:
    """Return what the part after the last slash matches."""
    for position in reversed(range(len(steps))):
        step = steps[position]
        if step.characters == _SLASH:
            return steps[position + 1 :]
        if step.many and "/" in step.characters:
            return (Step(_WITHIN, many=True), *steps[position + 1 :])
    return steps


def _may_write(claim: Claim, destination: RepositoryName) -> bool:
    """Say whether a rule's exclusions leave a source repository that goes to *destination*."""
    if claim.repository is not None:
        return True
    origin = _origin(claim, destination.path)
    return origin is None or claim.rule.source.match(origin) is not None


def _origin(claim: Claim, path: str) -> RepositoryName | None:
    """Return the one repository that goes to *path*; None when that cannot be told."""
    source, template = claim.rule.source, claim.template.path
    placeholder = "{repository}" if "{repository}" in template else "{name}"
    head, found, tail = template.partition(placeholder)
    if not found or "{" in head + tail:
        return None
    middle = path.removeprefix(head).removesuffix(tail)
    if placeholder == "{name}":
        middle = f"{source.fixed}{middle}"
    return _repository(source.registry, middle)


def _written_tags(claim: Claim) -> tuple[Steps, ...]:
    read = _read_tags(claim)
    if claim.template.keeps_tags:
        return read
    names = {} if claim.repository is None else names_of(claim.repository)
    known = {name: literal(text) for name, text in names.items()}
    return tuple(
        _substitute(claim.template.tag, {**known, "tag": steps}, anything(TAG_CHARACTERS))
        for steps in read
    )


def _read_tags(claim: Claim) -> tuple[Steps, ...]:
    include = claim.rule.selector.include
    return tuple(glob.steps for glob in include) or (anything(TAG_CHARACTERS),)


def _shared_names(
    one: Claim, ones: tuple[Steps, ...], other: Claim, others: tuple[Steps, ...]
) -> Iterator[Tag]:
    """Yield tags that both patterns match and both selections may let through."""
    ranges = one.rule.selector.range, other.rule.selector.range
    keep = one.template.keeps_tags and other.template.keeps_tags
    if keep and ranges[0] and ranges[1] and not ranges[0].overlaps(ranges[1]):
        return
    for first, second in itertools.product(ones, others):
        exact = _is_literal(first) or _is_literal(second)
        for tag in filter(None, map(_tag, common_names(first, second))):
            if not keep or all(_may_select(claim, tag, exact=exact) for claim in (one, other)):
                yield tag


def _may_select(claim: Claim, tag: Tag, *, exact: bool) -> bool:
    """Say whether a rule may select *tag*, which if not *exact* is only an example of many.

    Regular expressions and ranges say nothing about an example: another one may match.
    """
    selector = claim.rule.selector
    if not exact:
        return not selector.excludes(tag)
    made = _SOME_DAY - (selector.selection.older_than or timedelta(0))
    return selector.judge(SourceTag(tag, None, made), now=_SOME_DAY).selected


def _is_literal(steps: Steps) -> bool:
    return all(not step.many and len(step.characters) == 1 for step in steps)


def _repository(registry: str, path: str) -> RepositoryName | None:
    try:
        return RepositoryName(registry, path)
    except InvalidReference:
        return None


def _tag(text: str) -> Tag | None:
    try:
        return Tag(text)
    except InvalidReference:
        return None
