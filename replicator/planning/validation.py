"""Rules are checked as a whole before anything is done with them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from replicator.errors import ConfigError, InvalidReference
from replicator.oci.platform import Platform
from replicator.oci.reference import RepositoryName
from replicator.planning.claims import Claim, claims_of, feeds, shared_tag
from replicator.planning.mapping import REPOSITORY_NAMES
from replicator.planning.observation import SourceTag
from replicator.planning.prepared import PreparedRule, prepare
from replicator.planning.rule import Prune, Rule, TagSelection

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
# GOOS, whose values image-spec takes over; "unknown" is what attestations say.
# fmt: off
_SYSTEMS: Final = frozenset((
    "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux",
    "netbsd", "openbsd", "plan9", "solaris", "unknown", "wasip1", "windows",
))
# fmt: on
_SOME_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)


def check_rules(rules: Sequence[Rule]) -> tuple[PreparedRule, ...]:
    """Make sure that all *rules* can be carried out, each and together, and prepare them.

    Two rules may not write one tag, and no chain of rules may copy in a circle; this counts for
    disabled rules as well, which somebody will enable. Raises ConfigError that names rule, field
    and fix.
    """
    _check_names(rules)
    prepared = tuple(check_rule(rule) for rule in rules)
    claims = [claim for rule in prepared for claim in _claims(rule)]
    _check_writers(claims)
    _check_circles(claims)
    return prepared


def check_rule(rule: Rule) -> PreparedRule:
    """Make sure that one rule makes sense by itself, and prepare it. Raises ConfigError."""
    where = f'rule "{rule.name}": '
    if not _NAME.fullmatch(rule.name):
        raise ConfigError(
            f"{where}name: use up to 100 letters, digits, dots, dashes and underscores"
        )
    if not rule.destinations:
        raise ConfigError(f"{where}destinations: there is none; write at least one")
    prepared = prepare(rule, where=where)
    _check_repositories(prepared, where)
    _check_numbers(rule.tags, f"{where}tags")
    _check_that_tags_remain(prepared, f"{where}tags")
    _check_tag_templates(prepared, f"{where}destinations")
    _check_platforms(rule.platforms, f"{where}platforms")
    _check_prune(prepared, where)
    _check_times(rule, where)
    return prepared


def _check_names(rules: Sequence[Rule]) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise ConfigError(f'rule "{rule.name}": name: two rules have it; rename one')
        seen.add(rule.name)


def _check_repositories(prepared: PreparedRule, where: str) -> None:
    source = prepared.source
    named = source.repositories
    if named == ():
        raise ConfigError(
            f'{where}repositories: none of those included matches "{prepared.rule.source}"; '
            f'write what follows "{source.fixed}"'
        )
    if named is not None and len(named) == 1:
        return
    varying = REPOSITORY_NAMES - {"registry"} | source.captures
    for template in prepared.templates:
        if not template.placeholders & varying and "{name}" not in template.tag:
            raise ConfigError(
                f'{where}destinations: "{template.text}": all repositories of '
                f'"{prepared.rule.source}" would go to one; add {{repository}} or {{name}}'
            )


def _check_numbers(tags: TagSelection, where: str) -> None:
    if tags.latest is not None and tags.latest < 1:
        raise ConfigError(f"{where}.latest: {tags.latest} selects nothing; write 1 or more")
    if tags.min_tags < 0:
        raise ConfigError(f"{where}.min_tags: {tags.min_tags} is below 0")
    if tags.latest is not None and tags.min_tags > tags.latest:
        raise ConfigError(f"{where}.min_tags: {tags.min_tags} is more than latest = {tags.latest}")
    for name, age in (("newer_than", tags.newer_than), ("older_than", tags.older_than)):
        if age is not None and age <= timedelta(0):
            raise ConfigError(f'{where}.{name}: an age is longer than nothing; write "30d"')
    if tags.newer_than and tags.older_than and tags.older_than >= tags.newer_than:
        raise ConfigError(
            f"{where}.older_than: nothing is both older than {tags.older_than} and newer than "
            f"{tags.newer_than}; swap them"
        )


def _check_that_tags_remain(prepared: PreparedRule, where: str) -> None:
    """Refuse a selection that can never select anything."""
    selector = prepared.selector
    if selector.range is not None and not selector.range.overlaps(selector.range):
        raise ConfigError(f'{where}.semver: no version is in "{selector.range.text}"')
    named = selector.literal_tags
    if named is None or selector.needs_creation:
        return
    verdicts = [selector.judge(SourceTag(tag, None), now=_SOME_DAY) for tag in named]
    remaining = [verdict for verdict in verdicts if verdict.selected]
    if not remaining:
        first = verdicts[0]
        raise ConfigError(f'{where}: no tag remains: "{first.tag.tag}" {first.reason}')
    if len(remaining) < prepared.rule.tags.min_tags:
        raise ConfigError(
            f"{where}.min_tags: {prepared.rule.tags.min_tags} tags are wanted, but include "
            f"names {len(remaining)}"
        )


def _check_tag_templates(prepared: PreparedRule, where: str) -> None:
    selector = prepared.selector
    named = selector.literal_tags
    if prepared.rule.tags.latest == 1 or (named is not None and len(named) == 1):
        return
    for template in prepared.templates:
        if not template.tag_placeholders & ({"tag"} | selector.captures):
            raise ConfigError(
                f'{where}: "{template.text}": all tags would go to "{template.tag}"; add {{tag}}'
            )


def _check_platforms(platforms: Sequence[Platform], where: str) -> None:
    for platform in platforms:
        if platform.os not in _SYSTEMS:
            hint = (
                f'write "{platform.architecture}/{platform.os}"'
                if platform.architecture in _SYSTEMS
                else 'write for example "linux/amd64"'
            )
            raise ConfigError(f'{where}: "{platform}": no system is called {platform.os}; {hint}')
        if platforms.count(platform) > 1:
            raise ConfigError(f'{where}: "{platform}" is named twice')


def _check_prune(prepared: PreparedRule, where: str) -> None:
    rule = prepared.rule
    if rule.prune is Prune.MIRROR and prepared.selector.literal_tags is not None:
        raise ConfigError(
            f"{where}prune: tags.include names each tag, so nothing is listed and nothing can be "
            'known to be gone; write a pattern such as "1.*", or prune = "off"'
        )
    if rule.max_prune < 0:
        raise ConfigError(f"{where}max_prune: {rule.max_prune} is below 0")
    if rule.prune_after < timedelta(0):
        raise ConfigError(f"{where}prune_after: a time is not below nothing")


def _check_times(rule: Rule, where: str) -> None:
    """Check when a rule runs; one that says nothing of it does not load what reads it."""
    if rule.schedule:
        from replicator.planning.schedule import check_schedule

        check_schedule(rule.schedule, where=f"{where}schedule")
    if rule.timezone != "UTC":
        from replicator.planning.schedule import check_timezone

        check_timezone(rule.timezone, where=f"{where}timezone")
    if rule.maintenance:
        from replicator.planning.windows import check_windows

        check_windows(rule.maintenance, where=f"{where}maintenance")


def _claims(prepared: PreparedRule) -> Iterator[Claim]:
    try:
        yield from claims_of(prepared)
    except InvalidReference as error:
        raise ConfigError(f'rule "{prepared.rule.name}": destinations: {error}') from None


def _check_writers(claims: Sequence[Claim]) -> None:
    """Refuse two claims that may write one tag; those that cannot meet are not compared."""
    named: defaultdict[tuple[str, str | None], list[Claim]] = defaultdict(list)
    wild: defaultdict[str, list[Claim]] = defaultdict(list)
    everything: defaultdict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        registry = claim.template.registry
        if claim.path is None:
            rivals = [*everything[registry]]
            wild[registry].append(claim)
        else:
            rivals = [*named[registry, claim.path], *wild[registry]]
            named[registry, claim.path].append(claim)
        everything[registry].append(claim)
        for rival in rivals:
            _check_pair(rival, claim)


def _check_pair(first: Claim, second: Claim) -> None:
    if first.rule is second.rule and first.template is second.template and not first.repository:
        return  # Two globs of one list may match one repository, which goes one way.
    example = shared_tag(first, second)
    if example is None:
        return
    if first.name != second.name:
        raise ConfigError(
            f'rule "{second.name}": destinations: rule "{first.name}" may write the same tag, '
            f"such as {example}; select other tags or change the path of one of them"
        )
    raise ConfigError(
        f'rule "{second.name}": destinations: {_way(first)} and {_way(second)} may write the '
        f"same tag, such as {example}; use {{repository}}, or remove one"
    )


def _way(claim: Claim) -> str:
    return f'"{claim.repository or claim.rule.rule.source} → {claim.template.text}"'


def _check_circles(claims: Sequence[Claim]) -> None:
    """Refuse rules whose copies end up where they were read."""
    readers = _Readers(claims)
    next_rules: defaultdict[str, set[str]] = defaultdict(set)
    for writer in claims:
        for reader in readers.of(writer):
            if reader.name not in next_rules[writer.name] and feeds(writer, reader):
                next_rules[writer.name].add(reader.name)
    for name in list(next_rules):
        circle = _circle_from(name, next_rules)
        if circle == [name]:
            raise ConfigError(
                f'rule "{name}": destinations: the rule would read what it writes; choose '
                f"another path, or leave it out with repositories = {{ exclude = […] }}"
            )
        if circle:
            around = " → ".join(f'"{each}"' for each in (*circle, name))
            raise ConfigError(
                f'rule "{name}": destinations: rules copy in a circle ({around}); select '
                f"other tags or change the path of one of them"
            )


class _Readers:
    """Finds the claims that may read what another one writes, without looking at all of them."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self._named: defaultdict[RepositoryName, list[Claim]] = defaultdict(list)
        self._wild: defaultdict[str, list[Claim]] = defaultdict(list)
        self._all: defaultdict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            registry = claim.rule.source.registry
            self._all[registry].append(claim)
            if claim.repository is None:
                self._wild[registry].append(claim)
            else:
                self._named[claim.repository].append(claim)

    def of(self, writer: Claim) -> Sequence[Claim]:
        registry = writer.template.registry
        if writer.path is None:
            return self._all[registry]
        return (*self._named[RepositoryName(registry, writer.path)], *self._wild[registry])


def _circle_from(start: str, next_rules: dict[str, set[str]]) -> list[str]:
    """Return a way from *start* back to it, without its end; empty if there is none."""
    ways: list[list[str]] = [[start]]
    visited = {start}
    while ways:
        way = ways.pop()
        for following in sorted(next_rules.get(way[-1], ())):
            if following == start:
                return way
            if following not in visited:
                visited.add(following)
                ways.append([*way, following])
    return []
