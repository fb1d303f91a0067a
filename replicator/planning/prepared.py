"""PreparedRule: a rule with its patterns and templates compiled, ready for many tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.mapping import REPOSITORY_NAMES, TAG_NAMES, Template
from replicator.planning.observation import SourceTag
from replicator.planning.patterns import Glob
from replicator.planning.rule import PrunedReferrers, Rule
from replicator.planning.selection import Selector
from replicator.planning.source import Source
from replicator.values import dataclass

_FOREIGN: Final = "foreign-layers"
_REPOINTED: Final = "repointed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source tag, and the destination tag that it should become."""

    source: RepositoryName
    source_tag: SourceTag
    destination: RepositoryName
    tag: Tag


@dataclass(frozen=True, slots=True)
class Route:
    """One repository's way to one destination; ``captures`` are what the source pattern named."""

    source: RepositoryName
    destination: RepositoryName
    template: Template
    captures: Mapping[str, str]

    def wanted(self, tag: SourceTag, captures: Mapping[str, str]) -> Wanted:
        """Return what *tag* should become; *captures* are what the tag's patterns named.

        Raises InvalidReference when the mapping yields no tag.
        """
        names = {**self.captures, **captures}
        goal = self.template.destination_tag(self.source, tag.tag, names)
        return Wanted(self.source, tag, self.destination, goal)


@dataclass(frozen=True, slots=True)
class PreparedRule:
    """A rule whose text has been read: where from, which tags, where to."""

    rule: Rule
    source: Source
    selector: Selector
    templates: tuple[Template, ...]
    immutable: tuple[Glob, ...]

    @property
    def scope(self) -> str:
        """What of an image the rule wants, as the ledger remembers it; empty for all of it."""
        parts = [str(platform) for platform in sorted(self.rule.platforms)]
        parts += [_FOREIGN] if self.rule.foreign_layers else []
        return ",".join((*parts, _REPOINTED) if self.repoints else parts)

    @property
    def repoints(self) -> bool:
        """Whether referrers of an index that is cut down are made to refer to what is left."""
        rule = self.rule
        wants = rule.referrers and rule.pruned_referrers is PrunedReferrers.REPOINT
        return wants and bool(rule.platforms)

    def is_immutable(self, tag: Tag) -> bool:
        """Say whether *tag*, at the source, is declared never to move."""
        return any(glob.match(tag) is not None for glob in self.immutable)

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The hosts that the rule reads and writes, each with the path that all of it is below."""
        source = (self.source.registry, self.source.fixed.rstrip("/"))
        goals = ((template.registry, template.fixed) for template in self.templates)
        return tuple(dict.fromkeys((source, *goals)))

    @property
    def keeps_repositories_apart(self) -> bool:
        """Whether no two repositories can be mapped to one destination repository."""
        return all("repository" in template.placeholders for template in self.templates)

    def keeps_apart(self, sources: Sequence[RepositoryName]) -> bool:
        """Say whether no two of *sources* are mapped to one destination repository.

        Raises InvalidReference when the mapping yields no repository name.
        """
        routes = [route.destination for source in sources for route in self.routes(source)]
        return len(sources) < 2 or len(set(routes)) == len(routes)

    def routes(self, source: RepositoryName) -> tuple[Route, ...]:
        """Return where *source* goes, one route for each destination template.

        Raises InvalidReference when the mapping yields no repository name.
        """
        captures = self.source.match(source) or {}
        return tuple(
            Route(source, template.repository(source, captures), template, captures)
            for template in self.templates
        )


def prepare(rule: Rule, *, where: str = "") -> PreparedRule:
    """Read all patterns and templates of *rule*.

    Raises ConfigError that says *where*, which field, what is wrong and how to write it.
    """
    source = Source.parse(rule.source, rule.repositories, where=where)
    selector = Selector(rule.tags, where=f"{where}tags")
    templates = tuple(
        Template.parse(
            text,
            where=f"{where}destinations",
            repository_names=REPOSITORY_NAMES | source.captures,
            tag_names=TAG_NAMES | source.captures | selector.captures,
        )
        for text in rule.destinations
    )
    immutable = tuple(Glob.of_tags(text, where=f"{where}immutable") for text in rule.immutable)
    return PreparedRule(rule, source, selector, templates, immutable)
