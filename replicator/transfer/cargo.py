"""Cargo: the blobs of one image on their way to one destination, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from replicator.events import BlobFinished, BlobOutcome, Listener
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.registry.protocols import RepositoryReader, RepositoryWriter
from replicator.transfer.blobs import BlobMover
from replicator.transfer.concurrency import together
from replicator.transfer.flights import Flights
from replicator.transfer.order import Tally
from replicator.transfer.roll import Roll
from replicator.transfer.route import Route


class Cargo:
    """Brings blobs to one destination, each digest once, and keeps count.

    Offers may go out at once; bytes flow, and events are heard, only after ``begin``. Until then
    ``decided`` says when the first offer was answered.
    """

    def __init__(
        self,
        mover: BlobMover,
        *,
        source: RepositoryReader,
        writer: RepositoryWriter,
        roll: Roll,
        group: asyncio.TaskGroup,
        listener: Listener,
    ) -> None:
        self.decided = asyncio.Event()
        self._mover = mover
        self._route = Route(source, writer, roll, group, self._opened, self._flowed)
        self._listener = listener
        self._begun = asyncio.Event()
        self._turns = Flights[Digest]()
        self._blobs: dict[Digest, Descriptor] = {}
        self._outcomes: dict[Digest, BlobOutcome] = {}
        self._moved: dict[Digest, int] = {}

    def begin(self) -> None:
        """Let the bytes flow."""
        self._begun.set()

    def outcome(self, blob: Descriptor) -> BlobOutcome | None:
        """Return what became of *blob*; None while that is open."""
        return self._outcomes.get(blob.digest)

    async def bring_all(self, blobs: Collection[Descriptor]) -> None:
        """Bring all of *blobs* at once, the largest first: none of them should be the last."""
        missing = await self._missing(blobs)
        await together(map(self.bring, sorted(missing, key=lambda blob: -blob.size)))

    async def know(self, blobs: Iterable[Descriptor]) -> Collection[Digest]:
        """Look up together where *blobs* are, as each look takes its time.

        Returns those that are known to be at the destination.
        """
        return await self._mover.know(blobs, self._route.destination)

    async def _missing(self, blobs: Collection[Descriptor]) -> list[Descriptor]:
        """Return those of *blobs* that are to be brought; the rest, often most, takes no time."""
        there = await self.know(blobs)
        for blob in blobs:
            if blob.digest in there and blob.digest not in self._outcomes:
                self._route.roll.decide(self._route.destination, blob.digest)
                self._note(blob, BlobOutcome.PRESENT)
                self._announce(blob)
        return [blob for blob in blobs if blob.digest not in self._outcomes]

    async def bring(self, blob: Descriptor) -> None:
        """Bring one blob, unless that was done before; wait while it is being done."""
        async with self._turns.take(blob.digest):
            if blob.digest in self._outcomes:
                return
            self._note(blob, await self._mover.bring(blob, self._route))
            self.decided.set()
            await self._begun.wait()
            self._announce(blob)

    async def bring_again(self, blobs: Iterable[Descriptor]) -> None:
        """Bring those of *blobs* that were brought before, as the destination lacks them."""

        async def bring(blob: Descriptor) -> None:
            self._note(blob, await self._mover.bring_again(blob, self._route))
            self._announce(blob)

        await together(bring(blob) for blob in blobs if blob.digest in self._outcomes)

    def skip(self, blobs: Iterable[Descriptor]) -> None:
        """Count *blobs* as present, as the destination has the manifest that needs them."""
        for blob in blobs:
            if blob.digest not in self._outcomes:
                self._note(blob, BlobOutcome.PRESENT)
                self._announce(blob)
        # What is still to come, such as signatures, is nothing to wait for.
        self._route.roll.leave(self._route.destination)

    def tally(self) -> Tally:
        """Return what came of the blobs so far, one that is on its way included."""
        tally = Tally(bytes_moved=sum(max(0, moved) for moved in self._moved.values()))
        for digest, outcome in self._outcomes.items():
            size = self._blobs[digest].size
            match outcome:
                case BlobOutcome.PRESENT:
                    tally.blobs_skipped += 1
                    tally.bytes_skipped += size
                case BlobOutcome.MOUNTED:
                    tally.blobs_mounted += 1
                    tally.bytes_mounted += size
                case BlobOutcome.COPIED:
                    tally.blobs_moved += 1
                    tally.bytes_skipped += max(0, size - self._moved.get(digest, 0))
        return tally

    async def _opened(self) -> None:
        self.decided.set()
        await self._begun.wait()

    def _flowed(self, digest: Digest, size: int) -> None:
        self._moved[digest] = self._moved.get(digest, 0) + size

    def _note(self, blob: Descriptor, outcome: BlobOutcome) -> None:
        self._blobs[blob.digest] = blob
        self._outcomes[blob.digest] = outcome

    def _announce(self, blob: Descriptor) -> None:
        outcome = self._outcomes[blob.digest]
        self._listener(BlobFinished(self._route.destination, blob.digest, blob.size, outcome))
