"""What the store hands out about items: frozen values, never rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.store.work_tables import MOST_LOSSES, ItemKind
from replicator.values import dataclass

__all__ = ["Claim", "ItemKind", "Piece"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a run for one worker: some repositories, or some tags of one repository."""

    repositories: tuple[RepositoryName, ...]
    tags: Mapping[Tag, Digest | None] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that is this process's; ``attempt`` is its fence, which every write names.

    ``losses`` says how many earlier owners were lost over it, ``begins`` whether its run was not
    under way before.
    """

    run: int
    n: int
    attempt: int
    kind: ItemKind
    rule: str
    piece: Piece
    losses: int = 0
    run_id: str = ""
    begins: bool = False

    @property
    def is_last_try(self) -> bool:
        """Whether it is given up if it loses this owner, too."""
        return self.losses >= MOST_LOSSES - 1

    @property
    def key(self) -> str:
        """What tells it from all other items, and from itself when somebody else has it."""
        return f"{self.run}/{self.n}/{self.attempt}"


def tags_to_json(tags: Mapping[Tag, Digest | None] | None) -> list[tuple[str, str | None]] | None:
    """Return tags as an item keeps them."""
    if tags is None:
        return None
    return [(str(tag), None if digest is None else str(digest)) for tag, digest in tags.items()]


def claim_from_row(row: Any, run_id: str = "", begins: bool = False) -> Claim:
    """Read an item that was taken up."""
    names = tuple(map(RepositoryName.parse, row.repositories))
    return Claim(
        row.run,
        row.n,
        row.attempt,
        ItemKind(row.kind),
        row.rule,
        Piece(names, _tags(row.tags)),
        row.losses,
        run_id,
        begins,
    )


def _tags(found: Sequence[tuple[str, str | None]] | None) -> dict[Tag, Digest | None] | None:
    if found is None:
        return None
    return {Tag(tag): None if digest is None else Digest.parse(digest) for tag, digest in found}
