"""Mounts: where a blob may be mounted from, and which registries have shown that they mount."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

from replicator.oci.reference import RepositoryName

# So many refusals one after the other, and nobody waits for a blob to become mountable, or asks
# for a mount between those two repositories, any more.
_ENOUGH_REFUSALS: Final = 3


class Mounts:
    """Remembers what registries did with offers to mount; layouts on disk have none."""

    def __init__(self) -> None:
        self._refused_by: Counter[str] = Counter()
        self._refused_between: Counter[tuple[RepositoryName, str]] = Counter()

    def worth_waiting(self, destination: RepositoryName) -> bool:
        """Say whether to wait while another repository of the registry gets the blob."""
        return (
            not destination.is_layout and self._refused_by[destination.registry] < _ENOUGH_REFUSALS
        )

    def candidate(self, destination: RepositoryName, holders: Collection[str]) -> str | None:
        """Choose one of *holders*, other repositories of the same registry, to mount from."""
        if destination.is_layout:
            return None
        return min(
            (
                path
                for path in holders
                if self._refused_between[destination, path] < _ENOUGH_REFUSALS
            ),
            default=None,
        )

    def granted(self, destination: RepositoryName, path: str) -> None:
        del self._refused_by[destination.registry]
        del self._refused_between[destination, path]

    def refused(self, destination: RepositoryName, path: str) -> None:
        self._refused_by[destination.registry] += 1
        self._refused_between[destination, path] += 1
