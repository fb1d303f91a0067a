"""The selected tags of a repository, as its listing arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

from replicator.errors import InvalidManifest, NotFound, ReplicatorError
from replicator.oci.reference import Tag
from replicator.planning.observation import SourceTag
from replicator.planning.selection import Selector, Verdict, subject_digits
from replicator.registry.protocols import ListedTag, NeededDigests, RepositoryReader
from replicator.service.looking.creation import read_creation
from replicator.transfer.concurrency import together

_Item = TypeVar("_Item")

# Tags that are handed on together.
_BATCH: Final = 500

# Pages that are read before the first tags are handed on. A source repository whose list has been
# read to its end knows from it which signatures there are; copies that begin earlier would have to
# ask for them.
_READ_AHEAD: Final = 10

# Images whose age is looked up at the same time.
_READ_AT_ONCE: Final = 16


class TagListing:
    """Lists a repository and judges its tags.

    ``error`` is why the listing is not all of it, if something broke off: what came before it is
    used. ``digest_tags`` are those seen on the way that belong to other manifests, by the digits
    of their digests. When fewer than *at_least* are selected, something is wrong with the source:
    then none is, and ``held_back`` is how many those were.
    """

    def __init__(
        self, reader: RepositoryReader, selector: Selector, *, now: datetime, at_least: int = 0
    ) -> None:
        self._reader = reader
        self._selector = selector
        self._now = now
        self._at_least = at_least
        self.held_back = 0
        self.error: ReplicatorError | None = None
        self.digest_tags: dict[str, list[ListedTag]] = {}

    @property
    def is_literal(self) -> bool:
        """Whether the rule names each tag, so that nothing is listed."""
        return self._selector.literal_tags is not None

    async def batches(self) -> AsyncIterator[Sequence[Verdict]]:
        """Yield verdicts on all tags, a few hundred at a time."""
        if not self._at_least:
            async for verdicts in self._judged():
                yield verdicts
            return
        everything = [verdict async for verdicts in self._judged() for verdict in verdicts]
        selected = sum(verdict.selected for verdict in everything)
        if selected < self._at_least:
            self.held_back = selected
            everything = [self._held(each) if each.selected else each for each in everything]
        for verdicts in _batched(everything):
            yield verdicts

    def _held(self, verdict: Verdict) -> Verdict:
        why = f"{verdict.reason}, but min_tags = {self._at_least} are not there"
        return replace(verdict, selected=False, reason=why)

    async def _judged(self) -> AsyncIterator[Sequence[Verdict]]:
        """Yield verdicts on each tag by itself, and on which are the latest.

        Those cannot be told from a listing that broke off: then there are none.
        """
        if not self._selector.needs_all:
            async for page in self._pages():
                for listed in _batched(page):
                    tags = await self._with_creation(listed)
                    yield [self._selector.judge(tag, now=self._now) for tag in tags]
            return
        everything: list[SourceTag] = []
        async for page in self._pages():
            for listed in _batched(page):
                everything += await self._with_creation(listed)
        if self.error is None:
            for verdicts in _batched(self._selector.select(everything, now=self._now)):
                yield verdicts

    async def _with_creation(self, listed: Sequence[ListedTag]) -> Sequence[SourceTag]:
        """Learn when each tag was made that is not out by its name, where that matters."""
        tags = [SourceTag(each.tag, each.digest, each.created) for each in listed]
        if not self._selector.needs_creation:
            return tags
        slots = asyncio.Semaphore(_READ_AT_ONCE)

        async def dated(tag: SourceTag) -> SourceTag:
            if tag.created is not None or not self._selector.judge_name(tag).selected:
                return tag
            async with slots:
                return replace(tag, created=await self._creation(tag.tag))

        return await together(map(dated, tags))

    async def _creation(self, tag: Tag) -> datetime | None:
        try:
            return await read_creation(self._reader, tag)
        except (NotFound, InvalidManifest):
            return None  # It went away, or is no image: the verdict says that nobody knows.
        except ReplicatorError as error:
            self.error = error
            return None

    async def _pages(self) -> AsyncIterator[Sequence[ListedTag]]:
        """Yield the tags that the rule names, or the pages of the listing.

        The first page comes once some more have been read.
        """
        if self._selector.literal_tags is not None:
            yield tuple(map(ListedTag, self._selector.literal_tags))
            return
        waiting: list[Sequence[ListedTag]] = []
        try:
            async for page in self._reader.observe_tags(self._needed()):
                self._note_digest_tags(page)
                waiting.append(page)
                if len(waiting) > _READ_AHEAD:
                    yield waiting.pop(0)
        except ReplicatorError as error:
            self.error = error
        for early in waiting:
            yield early

    def _needed(self) -> NeededDigests | None:
        """Return how to count the tags whose digest matters; None where more does."""
        return None if self._selector.needs_creation else self._selector.most_selected

    def _note_digest_tags(self, page: Sequence[ListedTag]) -> None:
        for listed in page:
            digits = subject_digits(listed.tag)
            if digits is not None:
                self.digest_tags.setdefault(digits, []).append(listed)


def _batched(items: Iterable[_Item]) -> Iterator[Sequence[_Item]]:
    iterator = iter(items)
    while batch := tuple(islice(iterator, _BATCH)):
        yield batch
