"""Roll: which destinations of an order have not said yet whether they need a blob."""

from __future__ import annotations

from collections.abc import Iterable

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.transfer.concurrency import Signal


class Roll:
    """Whom a read of a blob may wait for, so that it is read once for all.

    *changed* is sent whenever somebody need not be waited for any longer.
    """

    def __init__(self, repositories: Iterable[RepositoryName], changed: Signal) -> None:
        self._present = set(repositories)
        self._decided: dict[Digest, set[RepositoryName]] = {}
        self._changed = changed

    def undecided(self, digest: Digest) -> set[RepositoryName]:
        """Return the repositories that may still ask for the blob."""
        return self._present - self._decided.get(digest, set())

    def decide(self, repository: RepositoryName, digest: Digest) -> None:
        """The repository has the blob, or will come by it in some other way."""
        self._decided.setdefault(digest, set()).add(repository)
        self._changed.send()

    def leave(self, repository: RepositoryName) -> None:
        """The repository is done with."""
        self._present.discard(repository)
        self._changed.send()
