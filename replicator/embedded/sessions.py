"""Upload: a session that receives one blob, over as many requests as it takes."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from typing import Final

from replicator.embedded.refusal import Refusal
from replicator.embedded.storage import StagedBlob
from replicator.oci.digest import Digest

# In seconds; how long a request that seems to have broken off is given to bring what is on its way.
_GRACE: Final = 0.25


class Upload:
    """Keeps what has arrived, and its hash, between the requests of one upload.

    What a broken request brought stays. The newest request has the session to itself: an older
    one, whose client may be long gone, can no longer add to it.
    """

    def __init__(self, repository: str, blob: StagedBlob, algorithm: str) -> None:
        self.id = secrets.token_hex(16)
        self.repository = repository
        self._blob = blob
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self._turn = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def offset(self) -> int:
        """The number of bytes that have arrived."""
        return self._blob.size

    @property
    def location(self) -> str:
        """Where the next request goes. It changes with the offset, so that an old one is told."""
        return f"/v2/{self.repository}/blobs/uploads/{self.id}?state={self.offset}"

    @property
    def progress(self) -> dict[str, str]:
        """The headers that say how far the upload is."""
        return {
            "Location": self.location,
            # "0-0" stands for nothing as well as for one byte; clients know no other way to say it.
            "Range": f"0-{max(0, self.offset - 1)}",
            "Docker-Upload-UUID": self.id,
        }

    def expect(self, digest: Digest) -> None:
        """Hash by the algorithm of *digest* from the start, so that nothing is read twice."""
        if self.offset == 0 and self._algorithm != digest.algorithm:
            self._algorithm = digest.algorithm
            self._hash = hashlib.new(digest.algorithm)

    async def receive(self, pieces: AsyncIterator[bytes]) -> None:
        """Add *pieces* as they come. Raises Refusal if a newer request takes over."""
        turn = self._take_over()
        self._idle.clear()
        try:
            async for piece in pieces:
                if turn != self._turn:
                    raise self.out_of_order("another request goes on with this upload")
                self._blob.append(piece)
                self._hash.update(piece)
        finally:
            if turn == self._turn:
                self._idle.set()

    async def settle(self) -> None:
        """Wait until nothing arrives any more, so that what is told of the offset stays true."""
        try:
            async with asyncio.timeout(_GRACE):
                await self._idle.wait()
        except TimeoutError:
            self._take_over()

    def finish(self, digest: Digest) -> None:
        """Make it a blob of the repository. Raises Refusal if it is not what *digest* names."""
        self._take_over()
        if self._hexdigest(digest.algorithm) != digest.hex:
            self._blob.discard()
            raise Refusal(
                400,
                "DIGEST_INVALID",
                "what arrived has another digest",
                details=[{"digest": str(digest)}],
            )
        self._blob.commit(self.repository, digest)

    def cancel(self) -> None:
        self._take_over()
        self._blob.discard()

    def out_of_order(self, message: str) -> Refusal:
        """The refusal that tells a client where to go on."""
        return Refusal(416, "RANGE_INVALID", message, headers=self.progress)

    def _take_over(self) -> int:
        """Stop the request that is still adding, if there is one, and begin a new turn."""
        self._turn += 1
        self._idle.set()
        return self._turn

    def _hexdigest(self, algorithm: str) -> str:
        if algorithm == self._algorithm:
            return self._hash.hexdigest()
        again = hashlib.new(algorithm)
        for piece in self._blob.pieces():
            again.update(piece)
        return again.hexdigest()
