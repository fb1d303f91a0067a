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
            rest = memoryview(piece)[skip:] if skip else piece
            skip -= min(skip, len(piece))
            if len(rest):
                yield rest
