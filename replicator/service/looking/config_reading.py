"""The config of an image, which is JSON about it."""

from __future__ import annotations

from typing import Final

from replicator.oci.descriptor import Descriptor
from replicator.registry.protocols import RepositoryReader

# In bytes. A config is text about an image; one beyond this is something else.
_LARGEST: Final = 8 * 1024 * 1024


async def read_config(reader: RepositoryReader, blob: Descriptor) -> bytes | None:
    """Read a config; None if it is too large to be one. Raises RegistryError."""
    if blob.size > _LARGEST:
        return None
    content = bytearray()
    async with reader.read_blob(blob) as pieces:
        async for piece in pieces:
            content += piece
    return bytes(content)
