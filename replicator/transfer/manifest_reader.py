"""ManifestReader: the manifests of one order, each read once and not without end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from replicator.errors import InvalidManifest, NotFound, TransferFailed
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import ManifestRef
from replicator.registry.protocols import RepositoryReader
from replicator.transfer.concurrency import together
from replicator.transfer.fail_points import FailPoint, PassPoint
from replicator.transfer.recent_manifests import RecentManifests
from replicator.transfer.sides import reading_source, reason_of

# For one tag, its referrers included.
MAX_MANIFESTS: Final = 2_000
# In bytes, all manifests of one tag together: they are in memory until the tag is written.
MAX_MANIFEST_BYTES: Final = 32 * 1024 * 1024


class ManifestReader:
    """Reads manifests from *source* and remembers them by digest.

    ``made`` are the digests of those that the source does not have, as we made them, each with
    that of the one it stands for. What is raised carries the mark of the source.
    """

    def __init__(
        self, source: RepositoryReader, recent: RecentManifests, pass_point: PassPoint
    ) -> None:
        self._source = source
        self._recent = recent
        self._pass_point = pass_point
        self.made: dict[Digest, Digest] = {}
        self._manifests: dict[Digest, Manifest] = {}
        self._asked = 0
        self._bytes = 0

    def keep(self, manifest: Manifest, *, instead_of: Digest) -> None:
        """Remember a manifest that we made."""
        self.made[manifest.digest] = instead_of
        self._manifests[manifest.digest] = manifest

    def known(self, digest: Digest) -> Manifest | None:
        """Return a manifest that was read before."""
        return self._manifests.get(digest)

    async def read_root(self, ref: ManifestRef) -> Manifest:
        """Read what *ref* names at the source now. Raises TransferFailed."""
        with reading_source():
            return self._counted(await self._source.get_manifest(ref))

    async def read(self, digest: Digest) -> Manifest:
        """Read one manifest, unless that was done lately. Raises TransferFailed."""
        if digest in self._manifests:
            return self._manifests[digest]
        with reading_source():
            self._asked += 1
            self._check_limits()
            return self._counted(await self._recent.get(self._source, digest))

    async def read_children(
        self, children: Iterable[Descriptor]
    ) -> tuple[list[Manifest], list[Descriptor]]:
        """Read what an index lists, all at once; gives the manifests, and the blobs among it.

        A build cache lists blobs as if they were manifests. A media type that we do not know
        may be either, and only the registry can tell.
        """
        found = await together(self._read_child(child) for child in children)
        manifests = [child for child in found if isinstance(child, Manifest)]
        return manifests, [child for child in found if isinstance(child, Descriptor)]

    async def _read_child(self, child: Descriptor) -> Manifest | Descriptor:
        if child.media_type in media_types.MANIFEST_TYPES or child.digest in self._manifests:
            return await self.read(child.digest)
        if child.size > self._source.max_manifest_size:
            return child
        try:
            return await self.read(child.digest)
        except TransferFailed as error:
            if not isinstance(reason_of(error), NotFound | InvalidManifest):
                raise
            self._check_limits()
            return child

    def _counted(self, manifest: Manifest) -> Manifest:
        self._pass_point(FailPoint.AFTER_MANIFEST_GET)
        self._bytes += len(manifest.content)
        self._check_limits()
        self._manifests[manifest.digest] = manifest
        return manifest

    def _check_limits(self) -> None:
        with reading_source():
            if self._asked > MAX_MANIFESTS:
                raise InvalidManifest(f"refers to more than {MAX_MANIFESTS} manifests")
            if self._bytes > MAX_MANIFEST_BYTES:
                raise InvalidManifest(f"its manifests have over {MAX_MANIFEST_BYTES} bytes")
