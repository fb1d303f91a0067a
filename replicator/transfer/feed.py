"""Feed: the bytes of one blob on their way to one destination."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from replicator.oci.descriptor import Descriptor
from replicator.oci.verify import Verifier
from replicator.registry.protocols import Piece
from replicator.transfer.fanout import Fanouts
from replicator.transfer.reading import cut, read_from
from replicator.transfer.route import Route
from replicator.transfer.sides import reading_source
from replicator.transfer.small_blobs import SMALL, SmallBlobs

# In bytes; progress is announced no more often.
_STEP: Final = 256 * 1024


class Feed:
    """Yields a blob to one destination, and again from where an upload broke off.

    ``offset`` is how much of it the destination has been given. *progressed* hears of bytes
    taken, and of those lost as a negative number.
    """

    def __init__(
        self,
        blob: Descriptor,
        route: Route,
        *,
        small_blobs: SmallBlobs,
        fanouts: Fanouts,
        progressed: Callable[[int], None],
    ) -> None:
        self.blob = blob
        self.offset = 0
        self._route = route
        self._small_blobs = small_blobs
        self._fanouts = fanouts
        self._progressed = progressed
        self._announced = 0
        self._verifier: Verifier | None = None

    async def pieces(self, offset: int) -> AsyncGenerator[Piece, None]:
        """Yield the blob from *offset* on. What it raises carries the mark of the source.

        A piece counts when it is handed out: after the last one nobody need ask for more.
        """
        self.offset = offset
        self._announce()
        with reading_source():
            stream, skip = self._open(offset)
            async with aclosing(stream):
                async for piece in stream:
                    rest, skip = cut(piece, skip)
                    if not len(rest):
                        continue
                    self.offset += len(rest)
                    if self.exhausted or self.offset - self._announced >= _STEP:
                        self._announce()
                    yield rest

    @property
    def exhausted(self) -> bool:
        """Whether the destination has been given all of it."""
        return self.offset == self.blob.size

    def _open(self, offset: int) -> tuple[AsyncGenerator[Piece, None], int]:
        """Return where the blob comes from, and how many bytes of that to pass over."""
        if self.blob.size <= SMALL:
            return self._small(), offset
        if self._verifier is None:
            fanout = self._fanouts.join(self.blob, self._route)
            self._verifier = fanout.verifier
            # Whoever goes on with what an earlier process began takes part from the beginning,
            # as all of the blob has to be hashed, and passes over what the registry has.
            return fanout.pieces(self._route), offset
        return read_from(self._route.source, self._verifier.fork(offset), offset), 0

    async def _small(self) -> AsyncGenerator[Piece, None]:
        yield await self._small_blobs.read(self._route.source, self.blob)

    def _announce(self) -> None:
        if self.offset != self._announced:
            self._progressed(self.offset - self._announced)
            self._announced = self.offset

    def end(self) -> None:
        """Tell what was handed out and not announced yet: it was moved, however this ends."""
        self._announce()
