"""Inventory: which blobs are known to be where at a destination."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName


class Inventory(Protocol):
    """Remembers blobs by registry, repository and digest; never by registry and digest alone."""

    async def holders(
        self, registry: str, digests: Collection[Digest]
    ) -> Mapping[Digest, frozenset[str]]:
        """Return the paths of the repositories of *registry* known to hold each digest."""
        ...

    def note(self, repository: RepositoryName, blob: Descriptor) -> None:
        """Remember that *repository* holds *blob*. Quick: what is durable is written later."""
        ...

    def forget(self, repository: RepositoryName, digest: Digest) -> None:
        """The registry says that it lacks the blob after all."""
        ...


class MemoryInventory:
    """An inventory that lasts as long as the process; the ledger's is built on top of it."""

    def __init__(self) -> None:
        self._holders: dict[tuple[str, Digest], set[str]] = {}

    async def holders(
        self, registry: str, digests: Collection[Digest]
    ) -> Mapping[Digest, frozenset[str]]:
        return {digest: frozenset(self._holders.get((registry, digest), ())) for digest in digests}

    def note(self, repository: RepositoryName, blob: Descriptor) -> None:
        self._holders.setdefault((repository.registry, blob.digest), set()).add(repository.path)

    def forget(self, repository: RepositoryName, digest: Digest) -> None:
        self._holders.get((repository.registry, digest), set()).discard(repository.path)
