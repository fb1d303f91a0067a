"""Tags: the list of a repository's tags, and which tags that stand for digests are among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Final

from replicator.errors import Denied, NotFound, RegistryError
from replicator.events import RequestKind
from replicator.oci.reference import RepositoryName, Tag
from replicator.registry.answers import Answer
from replicator.registry.calls import Call, pull
from replicator.registry.pagination import MAX_PAGE_SIZE, names
from replicator.registry.sending import Sender

# Pages that are read to learn which digest tags exist. A repository with more is asked for each
# tag that matters instead, as that is cheaper unless there are thousands.
_MOST_PAGES: Final = 10
_DIGEST_TAGS: Final = ("sha256-", "sha512-")
# Seconds for which a listing is as good as asking: who reads, changes and writes a tag has to
# know what was there a moment ago.
_JUST_NOW: Final = 10.0


class Tags:
    """The tags of one repository, listed as often as somebody asks.

    Tags such as ``sha256-….sig`` are remembered from one listing, so that to find out that a
    manifest has no signature costs nothing.
    """

    def __init__(self, sender: Sender, name: RepositoryName) -> None:
        self._sender = sender
        self._name = name
        self._digest_tags: set[str] | None = None
        self._listed_at = float("-inf")
        self._is_too_long = False
        self._looking = asyncio.Lock()

    @property
    def name(self) -> RepositoryName:
        return self._name

    async def list(
        self, gives_way: Callable[[], bool] | None = None
    ) -> AsyncGenerator[tuple[Tag, ...], None]:
        """List the tags, page by page. Raises Unauthorized where it *gives_way*; see Call."""
        found: set[Tag] = set()
        began = self._sender.clock.monotonic()
        try:
            async for page in self._pages(gives_way):
                found.update(page)
                yield page
        except NotFound:
            self._note_listing((), began)
            raise
        self._note_listing(found, began)

    def note_all(self, tags: Iterable[Tag]) -> None:
        """Remember a listing that is complete."""
        self._note_listing(tags, float("-inf"))

    def was_just_absent(self, tag: Tag) -> bool:
        """Say whether a listing that was read a moment ago does not have a digest tag."""
        age = self._sender.clock.monotonic() - self._listed_at
        return self._digest_tags is not None and tag not in self._digest_tags and age < _JUST_NOW

    async def has(self, tag: Tag) -> bool | None:
        """Say whether a digest tag exists; None where only asking for it will tell."""
        async with self._looking:
            if self._digest_tags is None and not self._is_too_long:
                await self._look()
        return None if self._digest_tags is None else tag in self._digest_tags

    def note(self, tag: Tag) -> None:
        """Remember a tag that was written meanwhile."""
        if self._digest_tags is not None and tag.startswith(_DIGEST_TAGS):
            self._digest_tags.add(tag)

    def _note_listing(self, tags: Iterable[Tag], began: float) -> None:
        self._digest_tags = {tag for tag in tags if tag.startswith(_DIGEST_TAGS)}
        self._listed_at = began

    async def _look(self) -> None:
        """List the tags for their digest tags alone, unless there are too many, or no right to."""
        pages = 0
        try:
            async with aclosing(self.list()) as listing:
                async for _ in listing:
                    pages += 1
                    if pages == _MOST_PAGES:
                        break
        except NotFound:
            pass
        except RegistryError as error:
            if error.retryable:
                raise
        self._is_too_long = self._digest_tags is None

    def _pages(self, gives_way: Callable[[], bool] | None) -> AsyncGenerator[tuple[Tag, ...], None]:
        call = Call(
            RequestKind.TAGS,
            "GET",
            f"{self._name.path}/tags/list",
            str(self._name),
            "GET tags/list",
            scopes=(pull(self._name.path),),
            limit=MAX_PAGE_SIZE,
            refine=_refused,
            gives_way=gives_way,
        )
        return names(
            self._sender, call, "tags", Tag, page_size=self._sender.knowledge.profile.page_size
        )


def _refused(answer: Answer, error: RegistryError) -> RegistryError:
    """Say the way out where tags may be read, but not listed, as with Aliyun."""
    if not isinstance(error, Denied):
        return error
    return Denied(
        f"{error}; tags that may not be listed can still be copied: name them in the rule",
        status=error.status,
        codes=error.codes,
        registry=error.registry,
    )
