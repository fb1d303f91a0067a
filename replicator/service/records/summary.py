"""Summary: what one item of a run came to, as it is kept until the run is closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field, fields
from typing import Any

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.plan import Action
from replicator.service.records.action_document import action_from_json, action_to_json
from replicator.store.records import TagKey
from replicator.transfer.order import Tally
from replicator.values import dataclass


@dataclass(slots=True)
class Summary:
    """Counts of tags, bytes and requests, and what only the whole run can decide about.

    ``held`` tags wait for another try, ``seen`` are those of the failing ones that the rule came
    across, ``removals`` may be removed if not too many of all that were ``published`` are gone
    and no listing was ``incomplete``.
    """

    counts: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)
    requests: dict[str, Counter[str]] = field(default_factory=dict)
    held: int = 0
    incomplete: bool = False
    seen: set[TagKey] = field(default_factory=set)
    published: int = 0
    removals: list[Action] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, other: Summary) -> None:
        """Add what another item came to."""
        self.counts.update(other.counts)
        self.add_traffic(other)
        self.held += other.held
        self.incomplete |= other.incomplete
        self.seen |= other.seen
        self.published += other.published
        self.removals += other.removals
        self.errors += other.errors

    def add_traffic(self, other: Summary) -> None:
        """Add bytes and requests alone: those of an attempt that is made once more."""
        self.tally.add(other.tally)
        self.add_requests(other.requests)

    def add_requests(self, requests: Mapping[str, Mapping[str, int]]) -> None:
        for registry, kinds in requests.items():
            self.requests.setdefault(registry, Counter()).update(kinds)

    def to_json(self) -> dict[str, Any]:
        """Return it for the database, without what is nothing."""
        document = {
            "counts": {name: number for name, number in self.counts.items() if number},
            "tally": {
                each.name: getattr(self.tally, each.name)
                for each in fields(Tally)
                if getattr(self.tally, each.name)
            },
            "requests": {host: dict(kinds) for host, kinds in self.requests.items()},
            "held": self.held,
            "incomplete": self.incomplete,
            "seen": [(name.registry, name.path, str(tag)) for name, tag in self.seen],
            "published": self.published,
            "removals": list(map(action_to_json, self.removals)),
            "error": "; ".join(self.errors),
        }
        return {name: value for name, value in document.items() if value}

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> Summary:
        """Read what ``to_json`` gave, or the store wrote of an item that was given up."""
        found = document or {}
        return cls(
            Counter(found.get("counts", {})),
            Tally(**found.get("tally", {})),
            {host: Counter(kinds) for host, kinds in found.get("requests", {}).items()},
            found.get("held", 0),
            found.get("incomplete", False),
            {(RepositoryName(host, path), Tag(tag)) for host, path, tag in found.get("seen", ())},
            found.get("published", 0),
            list(map(action_from_json, found.get("removals", ()))),
            [found["error"]] if found.get("error") else [],
        )

    @classmethod
    def of_all(cls, documents: Iterable[Mapping[str, Any]]) -> Summary:
        """Sum up what all items of a run came to."""
        total = cls()
        for document in documents:
            total.add(cls.from_json(document))
        return total
