"""LayoutUpload: receives one blob into a file of its layout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

from replicator.errors import ContentMismatch
from replicator.layout.folder import Folder
from replicator.oci.descriptor import Descriptor

_Piece: TypeAlias = bytes | bytearray | memoryview


class LayoutUpload:
    """An upload that cannot be continued: what breaks leaves nothing behind."""

    def __init__(self, folder: Folder, blob: Descriptor) -> None:
        self._folder = folder
        self._blob = blob

    @property
    def location(self) -> str:
        return ""

    async def send(
        self,
        pieces: AsyncIterator[_Piece],
        *,
        offset: int = 0,
        confirmed: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """Write the blob, bring it to the disk, and only then give it its name.

        Raises LayoutError, for example when the disk is full.
        """
        digest = self._blob.digest
        with (
            self._folder.translated(f"cannot write {digest}"),
            self._folder.new_blob(digest.algorithm) as file,
        ):
            async for piece in pieces:
                file.write(piece)
            if file.size != self._blob.size:
                raise ContentMismatch(f"{digest}: {file.size} of {self._blob.size} bytes")
            await asyncio.to_thread(file.keep, digest.hex)

    async def received(self) -> int | None:
        return None

    async def cancel(self) -> None:
        """There is nothing to forget."""
