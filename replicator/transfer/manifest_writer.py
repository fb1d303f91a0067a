"""ManifestWriter: manifests into one destination, and what to do when blobs are missing there."""

from __future__ import annotations

from collections.abc import Iterable

from replicator.errors import ContentMissing, Denied, NotFound
from replicator.events import Listener, ManifestWritten
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import ManifestRef, Tag
from replicator.registry.protocols import RepositoryWriter
from replicator.transfer.cargo import Cargo
from replicator.transfer.concurrency import together
from replicator.transfer.original import Original
from replicator.transfer.written_manifests import WrittenManifests


class ManifestWriter:
    """Writes what *original* consists of; *cargo* is how its blobs got there."""

    def __init__(
        self,
        writer: RepositoryWriter,
        *,
        original: Original,
        cargo: Cargo,
        written: WrittenManifests,
        listener: Listener,
    ) -> None:
        self._writer = writer
        self._written = written
        self._original = original
        self._cargo = cargo
        self._listener = listener

    async def has(self, ref: ManifestRef, digest: Digest) -> bool:
        """Say whether *ref* names *digest* at the destination."""
        try:
            return (await self._writer.resolve(ref)).digest == digest
        except (NotFound, Denied):
            # Artifactory denies a HEAD of what does not exist; the PUT will show what is true.
            return False

    async def put(self, manifest: Manifest) -> None:
        """Write a manifest by its digest, unless another tag has just done so."""
        async with self._written.turn(self._writer.name, manifest.digest) as is_needed:
            if is_needed:
                await self.put_as(manifest, None)

    async def put_as(self, manifest: Manifest, tag: Tag | None) -> None:
        """Write a manifest whose blobs and children are there.

        When the registry says that they are not, they are sent again and it is asked once more.
        """
        try:
            await self._writer.put_manifest(manifest, tag)
        except ContentMissing as missing:
            await self._heal(manifest, missing)
            await self._writer.put_manifest(manifest, tag)
        self._listener(ManifestWritten(self._writer.name, manifest.digest, tag))

    async def announce(self, manifests: Iterable[Manifest]) -> None:
        """Make those of *manifests* that have a subject findable from it, once per subject."""
        referrers: dict[Digest, list[Descriptor]] = {}
        for manifest in manifests:
            if manifest.subject is not None:
                found = referrers.setdefault(manifest.subject.digest, [])
                found.append(manifest.as_referrer())
        await together(
            self._writer.announce_referrers(subject, found) for subject, found in referrers.items()
        )

    async def _heal(self, manifest: Manifest, missing: ContentMissing) -> None:
        """Send again what the registry named of this manifest, or all of it if it named none.

        Raises what it said where it wants none but what is not copied: Quay wants the foreign
        layers of one family of types in a manifest of the other.
        """
        parts = (*manifest.manifests, *self._original.blobs_of(manifest))
        lacking = [part for part in parts if str(part.digest) in missing.digests]
        if missing.digests and not lacking:
            raise missing
        lacking = lacking or list(parts)
        children = [self._original.manifest(part.digest) for part in lacking]
        await self._cargo.bring_again(
            part for part, child in zip(lacking, children, strict=True) if child is None
        )
        await together(self._put_again(child) for child in children if child is not None)

    async def _put_again(self, manifest: Manifest) -> None:
        self._written.forget(self._writer.name, manifest.digest)
        await self.put(manifest)
