"""SharedSources: a source repository that several rules read is listed once for all of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager

from replicator.errors import RegistryUnavailable, ReplicatorError
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import ManifestRef, RepositoryName, Tag
from replicator.oci.verify import Verifier
from replicator.planning.source import Source
from replicator.registry.protocols import ListedTag, NeededDigests, Piece, RepositoryReader
from replicator.service.outside.registries import Registries


class SharedSources:
    """Opens the source repositories of rules that run together."""

    def __init__(self, registries: Registries, sources: Iterable[Source]) -> None:
        sources = tuple(sources)
        self._registries = registries
        self._named = Counter(each.repository for each in sources)
        self._patterns = [each for each in sources if each.repository is None]
        self._shared: dict[RepositoryName, _ListedOnce] = {}

    def repository(self, name: RepositoryName) -> RepositoryReader:
        """Open a repository; only one that several rules read is kept, and its list with it."""
        if name in self._shared:
            return self._shared[name]
        repository = self._registries.repository(name)
        if self._readers(name) < 2:
            return repository
        return self._shared.setdefault(name, _ListedOnce(repository))

    def _readers(self, name: RepositoryName) -> int:
        """Count the rules that read a repository; most name it, and need not be looked through."""
        return self._named[name] + sum(each.match(name) is not None for each in self._patterns)


class _ListedOnce:
    """A repository whose pages of tags are read once, by whoever comes to them first."""

    def __init__(self, repository: RepositoryReader) -> None:
        self._repository = repository
        self._pages: list[tuple[ListedTag, ...]] = []
        self._listing: AsyncIterator[tuple[ListedTag, ...]] | None = None
        self._has_ended = False
        self._error: ReplicatorError | None = None
        self._turn = asyncio.Lock()

    @property
    def name(self) -> RepositoryName:
        return self._repository.name

    async def may_be_proxy(self, missing: Tag) -> bool:
        return await self._repository.may_be_proxy(missing)

    @property
    def max_manifest_size(self) -> int:
        return self._repository.max_manifest_size

    async def list_tags(self) -> AsyncIterator[tuple[Tag, ...]]:
        async for page in self.observe_tags():
            yield tuple(listed.tag for listed in page)

    async def observe_tags(
        self, needed: NeededDigests | None = None
    ) -> AsyncIterator[tuple[ListedTag, ...]]:
        """List the tags with all digests, as the rules that share the list need different ones."""
        position = 0
        while position < len(self._pages) or await self._read_page(position):
            yield self._pages[position]
            position += 1
        if self._error is not None:
            raise self._error

    async def _read_page(self, position: int) -> bool:
        """Read on until there is a page at *position*; say whether there is one."""
        async with self._turn:
            if self._listing is None:
                self._listing = self._repository.observe_tags()
            while position >= len(self._pages) and not self._has_ended:
                try:
                    self._pages.append(await anext(self._listing))
                except StopAsyncIteration:
                    self._has_ended = True
                except ReplicatorError as error:
                    self._has_ended, self._error = True, error
                except BaseException:
                    # The reader was cancelled. To the others that must not look like the end.
                    self._has_ended = True
                    self._error = RegistryUnavailable(f"{self.name}: the listing was given up")
                    raise
            return position < len(self._pages)

    async def resolve(self, ref: ManifestRef) -> Descriptor:
        return await self._repository.resolve(ref)

    async def get_manifest(self, ref: ManifestRef) -> Manifest:
        return await self._repository.get_manifest(ref)

    def read_blob(
        self, blob: Descriptor, *, verifier: Verifier | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Piece]]:
        return self._repository.read_blob(blob, verifier=verifier)

    async def list_referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        return await self._repository.list_referrers(subject)

    async def signature_tags(self, subject: Digest) -> tuple[Tag, ...]:
        return await self._repository.signature_tags(subject)
