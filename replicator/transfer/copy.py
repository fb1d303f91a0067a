"""Transfer: carries out orders, as many at once as there are."""

from __future__ import annotations

import asyncio
from typing import Final

from replicator.errors import ReplicatorError, TransferFailed
from replicator.events import Listener, TagFinished, ignore
from replicator.transfer.blobs import BlobMover
from replicator.transfer.bookmarks import NothingUnfinished, Unfinished
from replicator.transfer.cargo import Cargo
from replicator.transfer.fail_points import PassPoint, pass_by
from replicator.transfer.inventory import Inventory
from replicator.transfer.manifest_reader import ManifestReader
from replicator.transfer.order import Destination, Order, Result
from replicator.transfer.original import Original
from replicator.transfer.publication import Publication
from replicator.transfer.recent_manifests import RecentManifests
from replicator.transfer.referrers import tags_of
from replicator.transfer.roll import Roll
from replicator.transfer.sides import reason_of, side_of
from replicator.transfer.written_manifests import WrittenManifests

# Per destination registry, between offer and arrival. How many bodies flow at once is the
# registry layer's to say; this keeps sessions from being opened long before their turn.
_BLOBS_AT_ONCE: Final = 32
_NOTHING: Final = NothingUnfinished()


class Transfer:
    """Copies images; one for all orders of a process, so that none does what another did.

    Orders that run at the same time share what is under way: a blob is sent to a repository
    once, mounted in the others of its registry, and read once for all destinations. An order's
    credentials are not asked whether they may read a blob that *inventory* knows at the
    destination; who keeps tenants apart gives each of them a Transfer and an inventory.
    """

    def __init__(
        self,
        *,
        inventory: Inventory,
        unfinished: Unfinished = _NOTHING,
        listener: Listener = ignore,
        blobs_at_once: int = _BLOBS_AT_ONCE,
        fail_point: PassPoint = pass_by,
    ) -> None:
        self._listener = listener
        self._fail_point = fail_point
        self._recent = RecentManifests()
        self._written = WrittenManifests()
        self._mover = BlobMover(
            inventory=inventory,
            unfinished=unfinished,
            listener=listener,
            pass_point=fail_point,
            at_once=blobs_at_once,
        )

    async def copy(self, order: Order) -> tuple[Result, ...]:
        """Carry out *order*, and return what became of each of its destinations, in order.

        What fails one destination is in its result, and the others go on; what fails the
        source is in all of them. Cancellation passes, and leaves no tag that is not whole.
        """
        results = tuple(Result(each.repository.name, each.tag) for each in order.destinations)
        try:
            reader = ManifestReader(order.source, self._recent, self._fail_point)
            original = await Original.read(order, reader, self._mover.small_blobs)
        except ReplicatorError as error:
            for result in results:
                _note_error(result, error)
                self._announce(order, result)
            return results
        roll = Roll((each.destination for each in results), self._mover.fanouts.changed)
        async with asyncio.TaskGroup() as group:
            for destination, result in zip(order.destinations, results, strict=True):
                group.create_task(self._publish(original, destination, result, roll, group))
        return results

    async def _publish(
        self,
        original: Original,
        destination: Destination,
        result: Result,
        roll: Roll,
        group: asyncio.TaskGroup,
    ) -> None:
        """Bring the original to one destination, and write down in *result* how that went."""
        cargo = Cargo(
            self._mover,
            source=original.order.source,
            writer=destination.repository,
            roll=roll,
            group=group,
            listener=self._listener,
        )
        if original.order.begun is not None:
            original.order.begun(cargo.tally)
        publication = Publication(
            original,
            destination,
            cargo,
            written=self._written,
            listener=self._listener,
            pass_point=self._fail_point,
        )
        result.source_digest = original.source_digest
        try:
            with self._written.visit(result.destination):
                result.written = await publication.publish()
            result.digest = original.root.digest
            result.added = publication.added
            result.repointed = original.repointed.number
            result.left_behind = original.repointed.left_behind
            result.attached = tags_of(await original.attachments.get())
        except ReplicatorError as error:
            _note_error(result, error)
        finally:
            roll.leave(result.destination)
        result.tally = cargo.tally()
        self._announce(original.order, result)

    def _announce(self, order: Order, result: Result) -> None:
        error = result.error
        self._listener(
            TagFinished(
                order.source_text,
                result.destination,
                result.tag,
                result.digest,
                None if error is None else str(error),
                "" if error is None else error.kind,
                written=result.written,
                added=result.added,
            )
        )


def _note_error(result: Result, error: ReplicatorError) -> None:
    result.error = reason_of(error)
    result.side = side_of(error)
    result.attempts = error.attempts if isinstance(error, TransferFailed) else 1
