"""Layout: an image layout on disk, as a repository that is read and written."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from replicator.errors import ContentMismatch, ContentMissing, InvalidManifest, NotFound
from replicator.events import BlobOutcome
from replicator.layout.folder import Folder
from replicator.layout.index_file import Entries, IndexFile
from replicator.layout.upload import LayoutUpload
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import LARGEST_MANIFEST_SIZE, Manifest
from replicator.oci.reference import LAYOUT, ManifestRef, RepositoryName, Tag
from replicator.oci.tag_schema import cosign_tags, schema_tag
from replicator.oci.verify import Verifier
from replicator.registry.protocols import ListedTag, NeededDigests

# In bytes; what is read of a blob at once.
_PIECE: Final = 1024 * 1024


def open_layout(path: Path) -> Layout:
    """Open the layout in the folder *path*; it is made when something is written to it."""
    return Layout(path)


class Layout:
    """Reads and writes one image layout; stands wherever a repository can.

    A tag is the annotation ``org.opencontainers.image.ref.name`` of an entry of index.json, a
    referrer an entry that needs no name. Blobs and manifests are whole before they have their
    names, and a manifest is refused while something it names is missing, as registries do.
    """

    # A layout needs no list of referrers, and takes a referrer before its subject.
    wants_subject_first: Final = False
    deletes_tags: Final = True
    # A layout has no settings, and may hold what came from a registry with the highest limit.
    max_manifest_size: Final = LARGEST_MANIFEST_SIZE

    def __init__(self, path: Path) -> None:
        self.name = RepositoryName(LAYOUT, str(path))
        self._folder = Folder(path)
        self._index = IndexFile(self._folder)
        # What each manifest of the index says of its subject; manifests never change.
        self._referrers: dict[Digest, tuple[Digest, Descriptor] | None] = {}

    async def list_tags(self) -> AsyncIterator[tuple[Tag, ...]]:
        """List the tags in one page. Raises NotFound if there is no layout."""
        self._folder.require()
        yield tuple(self._entries().tags)

    async def observe_tags(
        self, needed: NeededDigests | None = None
    ) -> AsyncIterator[tuple[ListedTag, ...]]:
        """List the tags with their digests, which index.json has. Raises NotFound."""
        self._folder.require()
        tags = self._entries().tags
        yield tuple(ListedTag(tag, manifest.digest) for tag, manifest in tags.items())

    async def folds_tags(self) -> bool:
        return False

    async def may_be_proxy(self, missing: Tag) -> bool:
        return False

    async def resolve(self, ref: ManifestRef) -> Descriptor:
        """Learn what *ref* names. Raises NotFound, also when that is not there."""
        return self._read_manifest(ref).descriptor

    async def get_manifest(self, ref: ManifestRef) -> Manifest:
        """Read a manifest. Raises NotFound, InvalidManifest, ContentMismatch, LayoutError."""
        return self._read_manifest(ref)

    @asynccontextmanager
    async def read_blob(
        self, blob: Descriptor, *, verifier: Verifier | None = None
    ) -> AsyncIterator[AsyncIterator[memoryview]]:
        """Read a blob, from ``verifier.offset`` on; the last piece only once it is right."""
        self._folder.require()
        with self._folder.open_blob(blob.digest) as file:
            if (size := os.fstat(file).st_size) != blob.size:
                raise ContentMismatch(f"{self.name}: {blob.digest} has {size} bytes")
            yield self._pieces(file, verifier or Verifier(blob))

    async def list_referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """List the manifests of the index whose subject is *subject*.

        Tools that keep referrers under a tag made of the digest, as in a registry without the
        referrers API, are understood too.
        """
        self._folder.require()
        entries = self._entries()
        found: dict[Digest, Descriptor] = {}
        for manifest in entries.manifests:
            known = self._referrer(manifest.digest)
            if known is not None and known[0] == subject:
                found[manifest.digest] = known[1]
        fallback = schema_tag(subject)
        if fallback in entries.tags:
            listed = self._read_manifest(fallback).manifests
            found |= {referrer.digest: referrer for referrer in listed}
        return tuple(found.values())

    async def signature_tags(self, subject: Digest) -> tuple[Tag, ...]:
        """Return the tags that cosign made of *subject*."""
        tags = self._entries().tags
        return tuple(tag for tag in cosign_tags(subject) if tag in tags)

    async def has_blob(self, blob: Descriptor) -> bool:
        return self._folder.size_of(blob.digest) == blob.size

    async def offer_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> BlobOutcome | LayoutUpload:
        """Have the blob already, or take it: one of another size was left by somebody else."""
        self._folder.make()
        if await self.has_blob(blob):
            return BlobOutcome.PRESENT
        return LayoutUpload(self._folder, blob)

    async def continue_upload(self, blob: Descriptor, location: str) -> LayoutUpload:
        """Begin anew: an upload into a layout ends with its process, and leaves nothing."""
        return LayoutUpload(self._folder, blob)

    async def put_manifest(self, manifest: Manifest, tag: Tag | None = None) -> None:
        """Write a manifest, and the index when it has a tag or refers to another manifest.

        Raises ContentMissing, LayoutError.
        """
        self._folder.make()
        if missing := self._missing(manifest):
            raise ContentMissing(
                f"{self.name}: {manifest.digest} names what is not there", digests=missing
            )
        await asyncio.to_thread(self._write_manifest, manifest, tag)

    async def announce_referrers(self, subject: Digest, referrers: Sequence[Descriptor]) -> None:
        """Do nothing: the index has them already."""

    async def delete_tag(self, tag: Tag) -> None:
        """Take *tag* away; what it named stays in the folder. Raises NotFound, LayoutError."""
        self._folder.require()
        if not await asyncio.to_thread(self._index.remove, tag):
            raise NotFound(f"{self.name}: has no tag {tag}", registry=LAYOUT)

    async def _pieces(self, file: int, verifier: Verifier) -> AsyncIterator[memoryview]:
        buffer = bytearray(_PIECE)
        size = verifier.blob.size
        while verifier.offset < size:
            with self._folder.translated(f"cannot read {verifier.blob.digest}"):
                length = os.preadv(file, [buffer], verifier.offset)
            if not length:
                break
            piece = memoryview(buffer)[:length]
            verifier.update(piece)
            if verifier.offset == size:
                verifier.finish()
            yield piece
            # Files are always ready, so nobody else would get a turn.
            await asyncio.sleep(0)
        verifier.finish()

    def _read_manifest(self, ref: ManifestRef) -> Manifest:
        self._folder.require()
        digest, media_type = self._find(ref)
        limit = self.max_manifest_size
        content = self._folder.read_blob(digest, limit)
        manifest = Manifest.parse(content, media_type, algorithm=digest.algorithm, limit=limit)
        if manifest.digest != digest:
            raise ContentMismatch(f"{self.name}: {digest} has other content")
        return manifest

    def _find(self, ref: ManifestRef) -> tuple[Digest, str]:
        """Return the digest that *ref* names, and its media type if the index says it."""
        if isinstance(ref, Digest):
            listed = self._index.entries().by_digest.get(ref)
            return ref, listed.media_type if listed else ""
        entries = self._entries()
        if ref not in entries.tags:
            raise NotFound(f"{self.name}: has no tag {ref}", registry=LAYOUT)
        return entries.tags[ref].digest, entries.tags[ref].media_type

    def _entries(self) -> Entries:
        """Return what the index has; a referrer whose subject has gone, or is still to come, does
        not get the default tag for being alone."""
        entries = self._index.entries()
        if entries.has_default:
            with suppress(ContentMismatch):
                if self._referrer(entries.manifests[0].digest) is not None:
                    return replace(entries, tags={})
        return entries

    def _referrer(self, digest: Digest) -> tuple[Digest, Descriptor] | None:
        """Return the subject of a manifest, and how it is listed; None if it has no subject."""
        if digest not in self._referrers:
            try:
                manifest = self._read_manifest(digest)
            except (NotFound, InvalidManifest):
                return None
            subject = manifest.subject
            self._referrers[digest] = (
                None if subject is None else (subject.digest, manifest.as_referrer())
            )
        return self._referrers[digest]

    def _missing(self, manifest: Manifest) -> tuple[str, ...]:
        blobs = [
            blob
            for blob in manifest.blobs
            if not media_types.is_foreign(blob.media_type)
            and self._folder.size_of(blob.digest) != blob.size
        ]
        children = [
            child for child in manifest.manifests if self._folder.size_of(child.digest) is None
        ]
        return tuple(str(part.digest) for part in (*blobs, *children))

    def _write_manifest(self, manifest: Manifest, tag: Tag | None) -> None:
        self._folder.write_blob(manifest.digest, manifest.content)
        if tag is not None or manifest.subject is not None:
            self._index.put(manifest.descriptor, tag)
