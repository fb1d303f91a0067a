"""Publication: one image on its way to one destination tag."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from replicator.errors import ReferrerFailed, ReplicatorError
from replicator.events import BlobOutcome, Listener, TagStarted
from replicator.oci.descriptor import Descriptor
from replicator.oci.manifest import Manifest
from replicator.transfer.cargo import Cargo
from replicator.transfer.concurrency import first_error, together
from replicator.transfer.fail_points import FailPoint, PassPoint, around
from replicator.transfer.graph import Graph
from replicator.transfer.manifest_writer import ManifestWriter
from replicator.transfer.order import Destination
from replicator.transfer.original import Original
from replicator.transfer.referrers import Attachment, Waves
from replicator.transfer.sides import reason_of, side_of
from replicator.transfer.written_manifests import WrittenManifests


class Publication:
    """Makes a tag name an image, whole.

    Blobs come first, then what is below the root, then what refers to it, and the tag last: a
    reader of the destination sees the old image, or the new one with all that belongs to it.
    ``added`` counts the referrers that an image got which was there already.
    """

    def __init__(
        self,
        original: Original,
        destination: Destination,
        cargo: Cargo,
        *,
        written: WrittenManifests,
        listener: Listener,
        pass_point: PassPoint,
    ) -> None:
        self.added = 0
        self._original = original
        self._destination = destination
        self._cargo = cargo
        self._listener = listener
        self._pass_point = pass_point
        self._manifests = ManifestWriter(
            destination.repository,
            original=original,
            cargo=cargo,
            written=written,
            listener=listener,
        )

    async def publish(self) -> bool:
        """Make it so, and return whether the tag had to be written. Raises ReplicatorError."""
        try:
            async with asyncio.TaskGroup() as group:
                return await self._publish(group)
        except ExceptionGroup as failures:
            error = first_error(failures)
            raise error from error.__cause__

    async def _publish(self, group: asyncio.TaskGroup) -> bool:
        # What refers to the image is read while its blobs move.
        attachments = group.create_task(self._original.attachments.get())
        if not self._original.order.thorough and await self._is_in_step(group):
            await self._complete(await attachments)
            return False
        graph = await self._original.graph.get()
        self._begin(graph.blobs)
        attached = group.create_task(self._bring_attached(attachments))
        await self._cargo.bring_all(graph.blobs)
        await attached
        await self._put_below(graph)
        await self._put_attached(graph, await attachments)
        await self._put_root(graph.root)
        return True

    async def _is_in_step(self, group: asyncio.TaskGroup) -> bool:
        """Say whether the tag names this image already.

        Its first blob has to be offered in any case, so the tag is asked for only when that blob
        turns out to be there. The registry's word for its own tag is taken: whether all blobs
        are still there is what a verification finds out.
        """
        blob = await self._original.first_blob()
        if blob is not None:
            await self._cargo.know(self._original.blobs_of(await self._original.first_image.get()))
            group.create_task(self._cargo.bring(blob))
            await self._cargo.decided.wait()
            if self._cargo.outcome(blob) is not BlobOutcome.PRESENT:
                return False
        return await self._manifests.has(self._destination.tag, self._original.root.digest)

    def _begin(self, blobs: tuple[Descriptor, ...]) -> None:
        self._listener(
            TagStarted(
                self._original.order.source_text,
                self._destination.repository.name,
                self._destination.tag,
                {blob.digest: blob.size for blob in blobs},
            )
        )
        self._cargo.begin()

    async def _bring_attached(self, attachments: asyncio.Task[Waves]) -> None:
        waves = await attachments
        await together(self._bring_attachment(each) for wave in waves for each in wave)

    async def _bring_attachment(self, attachment: Attachment) -> None:
        with _about(attachment):
            await self._cargo.bring_all(attachment.graph.blobs)

    async def _put_below(self, graph: Graph) -> None:
        """Write what is below the root, children before parents."""
        for level in graph.levels:
            await together(map(self._put_by_digest, level))

    async def _put_by_digest(self, manifest: Manifest) -> None:
        points = FailPoint.BEFORE_CHILD_PUT, FailPoint.AFTER_CHILD_PUT
        if manifest.is_index:
            points = FailPoint.BEFORE_INDEX_PUT, FailPoint.AFTER_INDEX_PUT
        with around(self._pass_point, *points):
            await self._manifests.put(manifest)

    async def _put_attached(self, graph: Graph, waves: Waves) -> None:
        """Write what refers to the image, and make it findable."""
        attached = [each for wave in waves for each in wave]
        if self._destination.repository.wants_subject_first and any(
            each.subject == graph.root.digest and each.tag is None for each in attached
        ):
            await self._put_by_digest(graph.root)
        for wave in waves:
            await together(map(self._put_attachment, wave))
        below = [manifest for level in graph.levels for manifest in level]
        await self._manifests.announce((*below, *(each.root for each in attached)))

    async def _put_attachment(self, attachment: Attachment) -> None:
        with (
            _about(attachment),
            around(self._pass_point, FailPoint.BEFORE_REFERRER_PUT, FailPoint.AFTER_REFERRER_PUT),
        ):
            await self._put_below(attachment.graph)
            if attachment.tag is None:
                await self._manifests.put(attachment.root)
            else:
                await self._manifests.put_as(attachment.root, attachment.tag)

    async def _put_root(self, root: Manifest) -> None:
        with around(self._pass_point, FailPoint.BEFORE_TAG_PUT, FailPoint.AFTER_TAG_PUT):
            await self._manifests.put_as(root, self._destination.tag)
        # An artifact may have a subject of its own, in the same repository.
        await self._manifests.announce((root,))

    async def _complete(self, waves: Waves) -> None:
        """Bring what refers to an image that is there, as it may have been signed since."""
        blobs = self._original.blobs_of(await self._original.first_image.get())
        self._begin(blobs)
        self._cargo.skip(blobs)
        missing = await together(map(self._missing, waves))
        await together(self._bring_attachment(each) for wave in missing for each in wave)
        for wave in missing:
            await together(map(self._put_attachment, wave))
        self.added = sum(map(len, missing))
        # Also what was there: whoever wrote it may have ended before it could be found.
        await self._manifests.announce(each.root for wave in waves for each in wave)

    async def _missing(self, wave: tuple[Attachment, ...]) -> list[Attachment]:
        there = await together(self._manifests.has(each.key, each.root.digest) for each in wave)
        return [each for each, is_there in zip(wave, there, strict=True) if not is_there]


@contextmanager
def _about(attachment: Attachment) -> Iterator[None]:
    """Say of an error that it happened to *attachment*."""
    try:
        yield
    except ReferrerFailed:
        raise
    except ReplicatorError as error:
        reason = reason_of(error)
        raise ReferrerFailed(
            f"{attachment}, cannot be copied: {reason}", side=side_of(error)
        ) from reason
