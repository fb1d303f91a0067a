"""The body of an upload: pieces of a blob that somebody else reads, counted and timed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from replicator.errors import ContentMismatch, RegistryUnavailable
from replicator.oci.reference import RepositoryName
from replicator.registry.calls import Body
from replicator.registry.pace import Pace
from replicator.registry.protocols import Piece
from replicator.registry.sending import Sender


class Source:
    """Pieces that are handed on in parts of any size, without copying them."""

    def __init__(self, pieces: AsyncIterator[Piece]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    async def begin(self) -> None:
        """Wait for the first piece.

        What goes before it may have to be read again, which takes a while: no request should
        be open meanwhile that the registry gives up.
        """
        self._rest = memoryview(await anext(self._pieces, b""))

    async def take(self, size: int) -> Piece:
        """Return at most *size* of the bytes to come. Raises ContentMismatch if there are none."""
        if not self._rest:
            self._rest = await self._next(size)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    async def expect_end(self) -> None:
        """Let whoever reads the blob verify it. Raises ContentMismatch if there is more."""
        async for piece in self._pieces:
            if piece:
                raise ContentMismatch("the source has more bytes than the blob")

    async def _next(self, missing: int) -> memoryview:
        piece = await anext(self._pieces, None)
        if piece is None:
            raise ContentMismatch(f"the source ended {missing} bytes too early")
        return memoryview(piece)


class SentBody(Body):
    """The next *size* bytes of *source*, as the body of one request."""

    def __init__(self, sender: Sender, name: RepositoryName, source: Source, size: int) -> None:
        self._limits = sender.limits
        self._clock = sender.clock
        self._pace = Pace(sender.settings.timeouts.idle)
        self._name = name
        self._source = source
        self._size = size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._size
        try:
            while left:
                piece = await self._source.take(left)
                left -= len(piece)
                await self._limits.pass_bytes(len(piece))
                start = self._clock.monotonic()
                yield piece  # type: ignore[misc]  # the transports take any buffer
                self._keep_pace(len(piece), self._clock.monotonic() - start)
        except Exception as error:
            self.failure = error
            raise

    def _keep_pace(self, size: int, seconds: float) -> None:
        if not self._pace.is_kept(size, seconds):
            raise RegistryUnavailable(
                f"{self._name}: the registry takes the blob too slowly",
                registry=self._name.registry,
            )
