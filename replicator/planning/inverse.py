"""Back from a destination tag to the source tags that a rule may have made it of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import re2

from replicator.errors import InvalidReference
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.mapping import Template, names_of
from replicator.planning.observation import SourceTag
from replicator.planning.prepared import PreparedRule, Route

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
# What may contain a slash; the others are parts of a path.
_WHOLE_PATHS: Final = frozenset({"repository"})


def may_lead_to(rule: PreparedRule, destination: RepositoryName) -> bool:
    """Say whether a template of *rule* has the form of *destination*."""
    return any(_read_path(template, destination) is not None for template in rule.templates)


def guessed_sources(rule: PreparedRule, destination: RepositoryName) -> tuple[RepositoryName, ...]:
    """Return the repositories that *rule* copies to *destination*, as far as names tell."""
    named = rule.source.repositories
    guesses = named if named is not None else _from_templates(rule, destination)
    return tuple(dict.fromkeys(each for each in guesses if routes_to(rule, each, destination)))


def routes_to(
    rule: PreparedRule, source: RepositoryName, destination: RepositoryName
) -> tuple[Route, ...]:
    """Return the ways by which *rule* copies *source* to *destination*."""
    if rule.source.match(source) is None:
        return ()
    try:
        return tuple(each for each in rule.routes(source) if each.destination == destination)
    except InvalidReference:
        return ()


def guessed_tag(route: Route, tag: Tag) -> Tag | None:
    """Return the one source tag that can become *tag*; None where others have to be tried."""
    if route.template.keeps_tags:
        return tag
    known = {**route.captures, **names_of(route.source)}
    found = _read(route.template.tag, tag, known)
    try:
        return Tag(found["tag"]) if found and "tag" in found else None
    except InvalidReference:
        return None


def becomes(rule: PreparedRule, route: Route, candidates: Iterable[Tag], tag: Tag) -> Iterator[Tag]:
    """Yield those of *candidates* whose name is mapped to *tag*."""
    for candidate in candidates:
        verdict = rule.selector.judge_name(SourceTag(candidate, None))
        try:
            if route.wanted(verdict.tag, verdict.captures).tag == tag:
                yield candidate
        except InvalidReference:
            continue  # What is not selected has not captured what the template asks for.


def _from_templates(rule: PreparedRule, destination: RepositoryName) -> Iterator[RepositoryName]:
    for template in rule.templates:
        found = _read_path(template, destination) or {}
        paths = [found.get("repository", "")]
        if "name" in found:
            paths.append(f"{rule.source.fixed}{found['name']}")
        for path in filter(None, paths):
            try:
                yield RepositoryName(rule.source.registry, path)
            except InvalidReference:
                continue


def _read_path(template: Template, destination: RepositoryName) -> dict[str, Any] | None:
    if template.registry != destination.registry:
        return None
    return _read(template.path, destination.path, {})


def _read(template: str, text: str, known: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what the placeholders of *template* stand for in *text*; None if it does not fit.

    RE2, as a template is anybody's, and has as many placeholders as somebody likes.
    """
    parts = _PLACEHOLDER.split(template)
    regex, seen = re2.escape(parts[0]), set[str]()
    for name, literal in zip(parts[1::2], parts[2::2], strict=True):
        any_text = ".+" if name in _WHOLE_PATHS else "[^/]+"
        group = any_text if name in seen else f"(?P<{name}>{any_text})"
        regex += re2.escape(known[name]) if name in known else group
        regex += re2.escape(literal)
        seen.add(name)
    found = re2.fullmatch(regex, text)
    return None if found is None else dict(found.groupdict())
