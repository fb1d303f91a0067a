"""Action and plan: the pure difference between what is wanted and what is there."""

from __future__ import annotations

import enum

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import DestinationTag
from replicator.values import dataclass


class Decision(enum.StrEnum):
    """What a plan does with one destination tag."""

    COPY = "copy"
    SKIP = "skip"
    CONFLICT = "conflict"
    BLOCKED = "blocked"
    PRUNE = "prune"


@dataclass(frozen=True, slots=True)
class Action:
    """What will happen to one destination tag, and why.

    ``digest`` is the source's; None when the tag is read and resolved by the same request.
    ``source`` and ``source_tag`` are None for a prune, whose source is gone. ``found`` is what
    the destination held when that was decided, as far as it was known.
    """

    decision: Decision
    reason: str
    destination: RepositoryName
    tag: Tag
    source: RepositoryName | None
    source_tag: Tag | None
    digest: Digest | None
    size: int | None = None
    found: DestinationTag | None = None
