"""Only: a run that is limited to some tags, such as those that failed in another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.rule import Prune, Rule


@dataclass(frozen=True, slots=True)
class Only:
    """The source tags that a run is limited to, by repository."""

    _tags: Mapping[RepositoryName, frozenset[Tag]]

    @classmethod
    def of(cls, sources: Iterable[str]) -> Self:
        """Read references with tags, as records of actions have them."""
        found: defaultdict[RepositoryName, set[Tag]] = defaultdict(set)
        for source in sources:
            repository, _, tag = source.rpartition(":")
            found[RepositoryName.parse(repository)].add(Tag(tag))
        return cls({name: frozenset(tags) for name, tags in found.items()})

    @property
    def repositories(self) -> Collection[RepositoryName]:
        return self._tags.keys()

    def tags(self, repository: RepositoryName) -> frozenset[Tag]:
        return self._tags.get(repository, frozenset())

    def limit(self, rule: Rule) -> Rule:
        """Return *rule* without what can only be said of all its tags: that there are enough of
        them, and that others are gone."""
        return replace(rule, allow_empty=True, prune=Prune.OFF, tags=replace(rule.tags, min_tags=0))
