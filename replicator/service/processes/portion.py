"""Portion: how much of a repository one item is about; the rest is left to others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Final, TypeAlias

from replicator.errors import ReplicatorError
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.planning.observation import SourceTag
from replicator.planning.selection import Selector, Verdict
from replicator.registry.protocols import ListedTag

Tags: TypeAlias = Mapping[Tag, Digest | None]
HandOver: TypeAlias = Callable[[Tags, Sequence[Tags]], Awaitable[None]]

# Selected tags of one item; a repository with more is shared.
LARGEST: Final = 2000


class Portion:
    """Keeps the first tags that are selected, and gives the others to *hand_over* in the end.

    It gets the tags that were kept, and portions of the others, and is not called when there are
    none.
    """

    def __init__(
        self,
        hand_over: HandOver,
        *,
        largest: int = LARGEST,
    ) -> None:
        self._hand_over = hand_over
        self._largest = largest
        self._kept: dict[Tag, Digest | None] = {}
        self._others: dict[Tag, Digest | None] = {}

    def keep(self, verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
        """Return those of *verdicts* that are this item's."""
        kept: list[Verdict] = []
        for verdict in verdicts:
            is_full = len(self._kept) >= self._largest
            if verdict.selected:
                tags = self._others if is_full else self._kept
                tags[verdict.tag.tag] = verdict.tag.digest
            if not (verdict.selected and is_full):
                kept.append(verdict)
        return kept

    async def finish(self) -> None:
        """Hand over what was not kept, now that all is listed."""
        if not self._others:
            return
        left = iter(self._others.items())
        others: list[Tags] = []
        while part := dict(islice(left, self._largest)):
            others.append(part)
        await self._hand_over(self._kept, others)


class GivenTags:
    """Stands in for the listing of a repository whose tags were listed and selected before."""

    error: ReplicatorError | None = None
    is_literal = False

    def __init__(self, tags: Tags, selector: Selector) -> None:
        self._tags = tags
        self._selector = selector
        self.digest_tags: Mapping[str, Sequence[ListedTag]] = {}

    async def batches(self) -> AsyncIterator[Sequence[Verdict]]:
        """Yield all of them at once; their names are judged for what they capture."""
        found = [SourceTag(tag, digest) for tag, digest in self._tags.items()]
        yield [self._selector.judge_name(tag) for tag in found]
