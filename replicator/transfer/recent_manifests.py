"""RecentManifests: those that orders share, as tags of one image do, are read once."""

from __future__ import annotations

from typing import Final, TypeAlias

from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import RepositoryName
from replicator.registry.protocols import RepositoryReader
from replicator.transfer.flights import Flights
from replicator.transfer.recent import Recent

# In bytes of manifests as they are stored; in memory they take a few times as much.
_KEPT: Final = 8 * 1024 * 1024

_Key: TypeAlias = tuple[RepositoryName, Digest]


class RecentManifests:
    """Reads manifests by digest, of all sources, and keeps the last of them."""

    def __init__(self) -> None:
        self._kept = Recent[_Key, Manifest](_KEPT)
        self._flights = Flights[_Key]()

    async def get(self, source: RepositoryReader, digest: Digest) -> Manifest:
        """Return a manifest of *source*; whoever wants one that is being read waits for it."""
        key = (source.name, digest)
        async with self._flights.take(key, source.name) as flight:
            manifest = self._kept.get(key)
            if manifest is None:
                flight.raise_if_hopeless()
                with flight.noting_failure():
                    manifest = await source.get_manifest(digest)
                self._kept.put(key, manifest, len(manifest.content))
            return manifest
