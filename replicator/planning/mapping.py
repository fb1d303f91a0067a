"""Where a tag goes: destination templates such as ``registry.example.com/hub/{repository}``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Final, Self

from replicator.errors import ConfigError, InvalidReference
from replicator.oci.reference import (
    DOCKER_HUB,
    LAYOUT,
    RepositoryName,
    Tag,
    canonical_registry,
    looks_like_host,
)
from replicator.values import dataclass

REPOSITORY_NAMES: Final = frozenset({"registry", "repository", "name"})
TAG_NAMES: Final = REPOSITORY_NAMES | {"tag"}

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_NOT_IN_PATHS: Final = r"[^a-z0-9.]+"


@dataclass(frozen=True, slots=True)
class Template:
    """A destination: ``host/path`` or ``oci:folder``, and after a colon the tag.

    In the path stand ``{registry}``, ``{repository}`` (the whole path), ``{name}`` (its last
    part) and what the source pattern captures; in the tag also ``{tag}`` and what the tag
    patterns capture. Without a tag it is the source's. ``{registry}`` is written so that it can
    be part of a path: ``localhost:5000`` becomes ``localhost-5000``.
    """

    text: str
    registry: str
    path: str
    tag: str = "{tag}"

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        where: str,
        repository_names: frozenset[str] = REPOSITORY_NAMES,
        tag_names: frozenset[str] = TAG_NAMES,
    ) -> Self:
        """Read a template in which those names may be used. Raises ConfigError."""
        registry, rest = _split_registry(text, where)
        path, tag = _split_tag(rest)
        _check_placeholders(path, repository_names, text, where, also=tag_names)
        _check_placeholders(tag, tag_names, text, where)
        template = cls(text, registry, path, tag)
        template._check_sample(where)
        return template

    @property
    def keeps_tags(self) -> bool:
        """Whether tags have the same name on both sides."""
        return self.tag == "{tag}"

    def repository(self, source: RepositoryName, captures: Mapping[str, str]) -> RepositoryName:
        """Return the repository that *source* goes to. Raises InvalidReference."""
        path = _fill(self.path, {**captures, **names_of(source)})
        if self.registry == DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        return RepositoryName(self.registry, path)

    def destination_tag(self, source: RepositoryName, tag: Tag, captures: Mapping[str, str]) -> Tag:
        """Return the tag that *tag* of *source* goes to. Raises InvalidReference."""
        if self.keeps_tags:
            return tag
        return Tag(_fill(self.tag, {**captures, **names_of(source), "tag": tag}))

    @property
    def fixed(self) -> str:
        """The path that each repository it yields is below, or is; empty if that is any."""
        literal, brace, _ = self.path.partition("{")
        return literal.rpartition("/")[0] if brace else literal

    @property
    def placeholders(self) -> frozenset[str]:
        """The names used in the path."""
        return frozenset(_PLACEHOLDER.findall(self.path))

    @property
    def tag_placeholders(self) -> frozenset[str]:
        """The names used in the tag."""
        return frozenset(_PLACEHOLDER.findall(self.tag))

    def _check_sample(self, where: str) -> None:
        """Fill in something harmless, so that what can never be a reference is refused now."""
        sample = dict.fromkeys(_PLACEHOLDER.findall(self.path + self.tag), "a")
        try:
            RepositoryName(self.registry, _fill(self.path, sample))
            Tag(_fill(self.tag, sample))
        except InvalidReference as error:
            raise ConfigError(f'{where}: "{self.text}": {error}') from None


def names_of(source: RepositoryName) -> dict[str, str]:
    """Return what the placeholders of every template stand for."""
    registry = re.sub(_NOT_IN_PATHS, "-", source.registry.lower()).strip("-")
    return {"registry": registry, "repository": source.path.strip("/"), "name": source.name}


def _fill(template: str, values: Mapping[str, str]) -> str:
    try:
        return _PLACEHOLDER.sub(lambda found: values[found[1]], template)
    except KeyError as missing:
        raise InvalidReference(f"{template}: nothing was captured as {missing}") from None


def _split_registry(text: str, where: str) -> tuple[str, str]:
    if text.startswith(LAYOUT):
        return LAYOUT, text.removeprefix(LAYOUT)
    if "://" in text:
        raise ConfigError(f'{where}: "{text}" has a scheme; write host/path, without https://')
    if "@" in text:
        raise ConfigError(f'{where}: "{text}" names a digest; a destination is a repository')
    host, slash, rest = text.partition("/")
    if "{" in host:
        raise ConfigError(
            f'{where}: "{text}" begins with a placeholder; write the host of a registry first'
        )
    if not slash or not looks_like_host(host):
        host, rest = DOCKER_HUB, text
    return canonical_registry(host), rest


def _split_tag(rest: str) -> tuple[str, str]:
    head, colon, tail = rest.rpartition(":")
    return (head, tail) if colon and "/" not in tail else (rest, "{tag}")


def _check_placeholders(
    part: str,
    known: frozenset[str],
    text: str,
    where: str,
    *,
    also: frozenset[str] = frozenset(),
) -> None:
    if "{" in _PLACEHOLDER.sub("", part) or "}" in _PLACEHOLDER.sub("", part):
        raise ConfigError(f'{where}: "{text}": the braces do not match')
    for name in _PLACEHOLDER.findall(part):
        if name in known:
            continue
        if name in also:
            raise ConfigError(
                f'{where}: "{text}": {{{name}}} differs from tag to tag; it may stand after a '
                f'colon, as in "host/path:{{{name}}}"'
            )
        raise ConfigError(f'{where}: "{text}": {{{name}}} is not known{_suggestion(name, known)}')


def _suggestion(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    if near:
        return f"; did you mean {{{near[0]}}}?"
    return f"; known are {', '.join(f'{{{each}}}' for each in sorted(known))}"
