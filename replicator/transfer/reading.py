"""Reading a blob from the middle on."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from replicator.oci.verify import Verifier
from replicator.registry.protocols import Piece, RepositoryReader


async def read_from(
    source: RepositoryReader, verifier: Verifier, offset: int
) -> AsyncGenerator[Piece, None]:
    """Yield the verifier's blob from *offset* on.

    The verifier goes back to its nearest place before, and what lies between is read again for
    it alone.
    """
    skip = offset - verifier.rewind(offset)
    async with source.read_blob(verifier.blob, verifier=verifier) as pieces:
        async for piece in pieces:
            rest, skip = cut(piece, skip)
            if len(rest):
                yield rest


def cut(piece: Piece, skip: int) -> tuple[Piece, int]:
    """Return what follows the first *skip* bytes of a piece, and how many are still to be cut."""
    if not skip:
        return piece, 0
    return memoryview(piece)[skip:], max(0, skip - len(piece))
