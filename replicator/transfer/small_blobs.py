"""Blobs that are small enough to be in memory as a whole, or whose content is known anyway."""

from __future__ import annotations

from typing import Final, TypeAlias

from replicator.oci.descriptor import EMPTY_CONTENT, Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.registry.protocols import RepositoryReader
from replicator.transfer.flights import Flights
from replicator.transfer.recent import Recent

# In bytes. Larger blobs flow through.
SMALL: Final = 64 * 1024
# In bytes; what is kept for the next destination or tag that needs the same blob.
_KEPT: Final = 4 * 1024 * 1024

_Key: TypeAlias = tuple[RepositoryName, Digest, int]


class SmallBlobs:
    """Reads small blobs, and keeps the last few for whoever needs them next."""

    def __init__(self) -> None:
        self._kept = Recent[_Key, bytes](_KEPT)
        self._flights = Flights[_Key]()

    async def read(self, source: RepositoryReader, blob: Descriptor) -> bytes:
        """Return the content of *blob*, read from *source* unless it is known."""
        known = known_content(blob)
        if known is not None:
            return known
        key = (source.name, blob.digest, blob.size)
        async with self._flights.take(key, source.name) as flight:
            content = self._kept.get(key)
            if content is None:
                flight.raise_if_hopeless()
                with flight.noting_failure():
                    content = await _read_whole(source, blob)
                self._kept.put(key, content, len(content))
            return content


def known_content(blob: Descriptor) -> bytes | None:
    """Return what *blob* must be when that follows from its digest: nothing at all, or ``{}``."""
    for content in (b"", EMPTY_CONTENT):
        if Digest.of(content, blob.digest.algorithm) == blob.digest and blob.size == len(content):
            return content
    return None


async def _read_whole(source: RepositoryReader, blob: Descriptor) -> bytes:
    async with source.read_blob(blob) as pieces:
        return b"".join([bytes(piece) async for piece in pieces])
