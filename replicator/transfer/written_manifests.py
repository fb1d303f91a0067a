"""WrittenManifests: those that tags of one repository share are written once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.transfer.flights import Flights

_Place: TypeAlias = tuple[RepositoryName, Digest]


class WrittenManifests:
    """Remembers what was written by digest, while anybody is busy with the repository.

    Not for longer: a registry may remove a manifest that no tag leads to, and some would take an
    index all the same.
    """

    def __init__(self) -> None:
        self._visitors: Counter[RepositoryName] = Counter()
        self._written: dict[RepositoryName, set[Digest]] = {}
        self._flights = Flights[_Place]()

    @contextmanager
    def visit(self, repository: RepositoryName) -> Iterator[None]:
        """Be busy with *repository*."""
        self._visitors[repository] += 1
        self._written.setdefault(repository, set())
        try:
            yield
        finally:
            self._visitors[repository] -= 1
            if not self._visitors[repository]:
                del self._visitors[repository], self._written[repository]

    @asynccontextmanager
    async def turn(self, repository: RepositoryName, digest: Digest) -> AsyncIterator[bool]:
        """Wait for one's turn at a manifest, and learn whether it still has to be written.

        When nothing is raised inside, it counts as written.
        """
        async with self._flights.take((repository, digest)):
            written = self._written[repository]
            yield digest not in written
            written.add(digest)

    def forget(self, repository: RepositoryName, digest: Digest) -> None:
        """The registry says that it lacks the manifest after all."""
        self._written[repository].discard(digest)
