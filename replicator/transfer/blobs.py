"""BlobMover: brings a blob to a destination by the cheapest way that works."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import TypeAlias

from replicator.events import BlobOutcome, BlobProgressed, BlobStarted, Listener
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.registry.protocols import Upload
from replicator.transfer.bookmarks import Bookmark, Unfinished
from replicator.transfer.fail_points import FailPoint, PassPoint, around
from replicator.transfer.fanout import Fanouts
from replicator.transfer.feed import Feed
from replicator.transfer.flights import Flights
from replicator.transfer.inventory import Inventory
from replicator.transfer.mounts import Mounts
from replicator.transfer.route import Route
from replicator.transfer.sending import send_blob
from replicator.transfer.small_blobs import SmallBlobs

_Place: TypeAlias = tuple[RepositoryName, Digest]
_Registry: TypeAlias = str


class BlobMover:
    """Moves the blobs of all orders of a process, which is how none moves twice.

    A blob goes to a repository once at a time. Where registries mount, it also goes to a
    registry once at a time: other repositories wait, and mount it then. At most *at_once* blobs
    of a registry are between offer and arrival.
    """

    def __init__(
        self,
        *,
        inventory: Inventory,
        unfinished: Unfinished,
        listener: Listener,
        pass_point: PassPoint,
        at_once: int,
    ) -> None:
        self.fanouts = Fanouts()
        self.small_blobs = SmallBlobs()
        self._inventory = inventory
        self._unfinished = unfinished
        self._listener = listener
        self._pass_point = pass_point
        self._flights = Flights[_Place]()
        self._first_uploads = Flights[tuple[_Registry, Digest]]()
        self._mounts = Mounts()
        self._slots: defaultdict[_Registry, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(at_once)
        )

    async def bring(self, blob: Descriptor, route: Route) -> BlobOutcome:
        """Bring *blob* to the route's destination.

        PRESENT is also the outcome for whoever waited while another order brought it. An error
        of the source is marked as such.
        """
        place = (route.destination, blob.digest)
        if self._flights.source_of(place) not in (None, route.source.name):
            # Whoever brings it now reads elsewhere: nobody need wait to read together with us.
            self._decide(blob, route)
        try:
            async with self._flights.take(place, route.source.name) as flight:
                if await self._is_known(blob, route):
                    return BlobOutcome.PRESENT
                flight.raise_if_hopeless()
                with flight.noting_failure():
                    outcome = await self._bring(blob, route)
                self._inventory.note(route.destination, blob)
                return outcome
        finally:
            self._decide(blob, route)

    async def know(
        self, blobs: Iterable[Descriptor], destination: RepositoryName
    ) -> frozenset[Digest]:
        """Look up many blobs at once, also for the next questions, which are about them.

        Returns those that are known to be there.
        """
        digests = tuple(blob.digest for blob in blobs)
        holders = await self._inventory.holders(destination.registry, digests)
        return frozenset(each for each in digests if destination.path in holders.get(each, ()))

    async def bring_again(self, blob: Descriptor, route: Route) -> BlobOutcome:
        """Bring a blob that was thought to be there, and that the destination says it lacks."""
        self._inventory.forget(route.destination, blob.digest)
        return await self.bring(blob, route)

    async def _bring(self, blob: Descriptor, route: Route) -> BlobOutcome:
        mount_from = await self._mount_candidate(blob, route)
        if mount_from is None and self._mounts.worth_waiting(route.destination):
            key = (route.destination.registry, blob.digest)
            if self._first_uploads.is_taken(key):
                self._decide(blob, route)
            async with self._first_uploads.take(key, route.source.name) as flight:
                mount_from = await self._mount_candidate(blob, route)
                if mount_from is None and not flight.troubled:
                    with flight.noting_failure():
                        return await self._offer(blob, route, None)
        return await self._offer(blob, route, mount_from)

    async def _offer(self, blob: Descriptor, route: Route, mount_from: str | None) -> BlobOutcome:
        bookmark = Bookmark(self._unfinished, route.writer, blob)
        async with self._slots[route.destination.registry]:
            # A mount costs less than the rest of a blob, so it is asked for first.
            left = None if mount_from is not None else await bookmark.find()
            if left is None:
                offered = await self._ask(blob, route, mount_from)
                if isinstance(offered, BlobOutcome):
                    return offered
                left = await bookmark.find() if mount_from is not None else None
                left = left or (offered, 0)
            await route.opened()
            await self._send(blob, route, bookmark, *left)
            return BlobOutcome.COPIED

    async def _ask(
        self, blob: Descriptor, route: Route, mount_from: str | None
    ) -> BlobOutcome | Upload:
        """Offer the blob, and note what became of a mount."""
        offered = await route.writer.offer_blob(blob, mount_from=mount_from)
        if offered is BlobOutcome.MOUNTED and mount_from is not None:
            self._mounts.granted(route.destination, mount_from)
            self._pass_point(FailPoint.AFTER_MOUNT)
        if not isinstance(offered, BlobOutcome):
            if mount_from is not None:
                self._mounts.refused(route.destination, mount_from)
            self._pass_point(FailPoint.AFTER_UPLOAD_POST)
        return offered

    async def _send(
        self, blob: Descriptor, route: Route, bookmark: Bookmark, upload: Upload, offset: int
    ) -> None:
        def progressed(size: int) -> None:
            route.flowed(blob.digest, size)
            self._listener(BlobProgressed(route.destination, blob.digest, size))

        feed = Feed(
            blob,
            route,
            small_blobs=self.small_blobs,
            fanouts=self.fanouts,
            progressed=progressed,
        )
        self._listener(BlobStarted(route.destination, blob.digest, blob.size))
        # What is there already is announced as progress, too, and was moved by somebody else.
        route.flowed(blob.digest, -offset)
        try:
            with around(self._pass_point, FailPoint.BEFORE_BLOB_PUT, FailPoint.AFTER_BLOB_PUT):
                await send_blob(feed, upload, route.writer, bookmark, offset=offset)
        finally:
            feed.end()

    async def _is_known(self, blob: Descriptor, route: Route) -> bool:
        return route.destination.path in await self._holders(blob, route)

    async def _mount_candidate(self, blob: Descriptor, route: Route) -> str | None:
        return self._mounts.candidate(route.destination, await self._holders(blob, route))

    async def _holders(self, blob: Descriptor, route: Route) -> frozenset[str]:
        holders = await self._inventory.holders(route.destination.registry, (blob.digest,))
        return holders.get(blob.digest, frozenset())

    def _decide(self, blob: Descriptor, route: Route) -> None:
        route.roll.decide(route.destination, blob.digest)
