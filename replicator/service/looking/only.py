"""Only: a run that is limited to some tags, such as those that failed in another, or to some
repositories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Self

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.rule import Prune, Rule
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Only:
    """The source tags that a run is limited to, by repository; without any, it is all of its."""

    _tags: Mapping[RepositoryName, frozenset[Tag]]

    @classmethod
    def of(cls, sources: Iterable[str]) -> Self:
        """Read references with tags, as records of actions have them, and repositories."""
        found: defaultdict[RepositoryName, set[Tag]] = defaultdict(set)
        whole: set[RepositoryName] = set()
        for source in sources:
            repository, colon, tag = source.rpartition(":")
            # What follows the port of a host has a slash in it.
            if colon and "/" not in tag:
                found[RepositoryName.parse(repository)].add(Tag(tag))
            else:
                whole.add(RepositoryName.parse(source))
        limited = {name: frozenset(tags) for name, tags in found.items()}
        return cls({**limited, **dict.fromkeys(whole, frozenset())})

    @property
    def repositories(self) -> Collection[RepositoryName]:
        return self._tags.keys()

    def includes(self, repository: RepositoryName, tag: Tag) -> bool:
        """Say whether the run is about a tag of one of its repositories."""
        tags = self._tags.get(repository)
        return tags is not None and (not tags or tag in tags)

    def limit(self, rule: Rule) -> Rule:
        """Return *rule* without what can only be said of all its tags: that there are enough of
        them, and that others are gone."""
        return replace(rule, allow_empty=True, prune=Prune.OFF, tags=replace(rule.tags, min_tags=0))
