"""Original: what one order copies, as it is at the source, read once for all destinations."""

from __future__ import annotations

from typing import Self

from replicator.errors import NotFound, TransferFailed
from replicator.oci import media_types
from replicator.oci.descriptor import EMPTY_CONTENT, Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.transfer.concurrency import Once
from replicator.transfer.graph import MAX_DEPTH, Graph, blobs_of, read_graph
from replicator.transfer.image_platform import check_platform
from replicator.transfer.manifest_reader import ManifestReader
from replicator.transfer.order import Order
from replicator.transfer.platforms import select_platforms
from replicator.transfer.referrers import Waves, read_attachments
from replicator.transfer.repointing import Repointed, repoint
from replicator.transfer.sides import reason_of
from replicator.transfer.small_blobs import SmallBlobs


class Original:
    """An image at the source; its parts are read when somebody asks, once.

    ``root`` is what is written under the tag: what the source has under ``source_digest``, or
    an index of our own when platforms were selected. ``repointed`` is what was made to refer to
    that, as far as it has been read. What is raised carries the mark of the source.
    """

    def __init__(
        self, order: Order, reader: ManifestReader, root: Manifest, source_digest: Digest
    ) -> None:
        self.order = order
        self.root = root
        self.source_digest = source_digest
        self.first_image = Once(self._read_first_image)
        self.graph = Once(self._read_graph)
        self.attachments = Once(self._read_attachments)
        self.repointed = Repointed((), 0)
        self._reader = reader

    @classmethod
    async def read(cls, order: Order, reader: ManifestReader, small_blobs: SmallBlobs) -> Self:
        """Read what the order's reference names now; a tag means that from then on.

        Raises TransferFailed, also when there is nothing for the order's platforms.
        """
        found = await _read_root(reader, order)
        root = found
        if order.platforms and found.is_index:
            root = await select_platforms(reader, found, order.platforms)
        elif order.platforms:
            await check_platform(
                found, order.platforms, source=order.source, small_blobs=small_blobs
            )
        return cls(order, reader, root, found.digest)

    def manifest(self, digest: Digest) -> Manifest | None:
        """Return a manifest that was read on the way; None for what is a blob, or unread."""
        return self._reader.known(digest)

    def blobs_of(self, manifest: Manifest) -> tuple[Descriptor, ...]:
        return blobs_of(manifest, self.order.foreign_layers)

    async def first_blob(self) -> Descriptor | None:
        """Return the blob whose presence hints that the whole image may be there.

        That is the config of the first image, which no other image has; an artifact without one
        of its own has its smallest blob instead.
        """
        image = await self.first_image.get()
        blobs = self.blobs_of(image)
        if image.config is not None and image.config.size > len(EMPTY_CONTENT):
            return image.config
        return min(
            blobs, key=lambda blob: (blob.size <= len(EMPTY_CONTENT), blob.size), default=None
        )

    async def _read_first_image(self) -> Manifest:
        """Follow the first children down to what is no index."""
        manifest = self.root
        for _ in range(MAX_DEPTH):
            children, _ = await self._reader.read_children(manifest.manifests[:1])
            if not children:
                break
            manifest = children[0]
        return manifest

    async def _read_graph(self) -> Graph:
        return await read_graph(self._reader, self.root, foreign_layers=self.order.foreign_layers)

    async def _read_attachments(self) -> Waves:
        if not self.order.referrers:
            return ()
        waves = await read_attachments(self._reader, self.order, await self._subjects())
        if self.order.repoint and self._reader.made:
            self.repointed = await self._repoint()
        return (*waves, *self.repointed.waves)

    async def _repoint(self) -> Repointed:
        """Make what refers to an index of the source refer to the one that we made of it."""
        replaced = {
            old: made
            for digest, old in self._reader.made.items()
            if (made := self._reader.known(digest)) is not None
        }
        return repoint(await read_attachments(self._reader, self.order, replaced), replaced)

    async def _subjects(self) -> list[Digest]:
        """List the digests that referrers may name: the root's, and those below it.

        Images need not be read for that, as their indexes name them. An index of our own has
        no referrers, and those of the source's index would refer to nothing.
        """
        subjects: dict[Digest, None] = {}
        level = [self.root]
        for _ in range(MAX_DEPTH):
            subjects |= dict.fromkeys(manifest.digest for manifest in level)
            children = [child for manifest in level for child in manifest.manifests]
            subjects |= dict.fromkeys(
                child.digest for child in children if child.media_type in media_types.MANIFEST_TYPES
            )
            # Each once: a few that list each other many times would be more than fit in memory.
            nested = {
                child.digest: child for child in children if child.media_type in media_types.INDEXES
            }
            if not nested:
                break
            level, _ = await self._reader.read_children(nested.values())
        return [digest for digest in subjects if digest not in self._reader.made]


async def _read_root(reader: ManifestReader, order: Order) -> Manifest:
    """Read what the order names; its tag if that has moved and left its digest to nobody."""
    try:
        return await reader.read_root(order.reference)
    except TransferFailed as error:
        if order.tag is None or not isinstance(reason_of(error), NotFound):
            raise
        return await reader.read_root(order.tag)
