"""Blobs that are small enough to be in memory as a whole, or whose content is known anyway."""

from __future__ import annotations

from typing import Final, TypeAlias

from replicator.oci.descriptor import EMPTY_CONTENT, Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.registry.protocols import RepositoryReader
from replicator.transfer.flights import Flights

# In bytes. Larger blobs flow through.
SMALL: Final = 64 * 1024
# In bytes; what is kept for the next destination or tag that needs the same blob.
_KEPT: Final = 4 * 1024 * 1024

_Key: TypeAlias = tuple[RepositoryName, Digest, int]


class SmallBlobs:
    """Reads small blobs, and keeps the last few for whoever needs them next."""

    def __init__(self) -> None:
        self._contents: dict[_Key, bytes] = {}
        self._size = 0
        self._flights = Flights[_Key]()

    async def read(self, source: RepositoryReader, blob: Descriptor) -> bytes:
        """Return the content of *blob*, read from *source* unless it is known."""
        known = known_content(blob)
        if known is not None:
            return known
        key = (source.name, blob.digest, blob.size)
        async with self._flights.take(key):
            if key not in self._contents:
                self._keep(key, await _read_whole(source, blob))
            return self._contents[key]

    def _keep(self, key: _Key, content: bytes) -> None:
        self._contents[key] = content
        self._size += len(content)
        while self._size > _KEPT:
            oldest = next(iter(self._contents))
            self._size -= len(self._contents.pop(oldest))


def known_content(blob: Descriptor) -> bytes | None:
    """Return what *blob* must be when that follows from its digest: nothing at all, or ``{}``."""
    for content in (b"", EMPTY_CONTENT):
        if Digest.of(content, blob.digest.algorithm) == blob.digest and blob.size == len(content):
            return content
    return None


async def _read_whole(source: RepositoryReader, blob: Descriptor) -> bytes:
    async with source.read_blob(blob) as pieces:
        return b"".join([bytes(piece) async for piece in pieces])
