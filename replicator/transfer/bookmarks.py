"""Bookmarks: where uploads of large blobs can be taken up again after their process is gone."""

from __future__ import annotations

from typing import Protocol

from replicator.errors import RegistryError
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.registry.protocols import LARGE, RepositoryWriter, Upload


class Unfinished(Protocol):
    """Remembers sessions that are open at registries. It helps, and never fails a copy."""

    async def take(self, repository: RepositoryName, digest: Digest) -> str | None:
        """Return where an upload goes on, and make it ours; None if there is none to be had.

        One that another process is at work on is not.
        """
        ...

    async def keep(
        self, repository: RepositoryName, blob: Descriptor, location: str, *, offset: int
    ) -> None:
        """Remember where an upload of ours goes on, and how much the registry has for certain."""
        ...

    async def drop(self, repository: RepositoryName, digest: Digest) -> None:
        """Forget an upload of ours: its blob has arrived."""
        ...


class NothingUnfinished:
    """Remembers nothing, for whoever has no database."""

    async def take(self, repository: RepositoryName, digest: Digest) -> str | None:
        return None

    async def keep(
        self, repository: RepositoryName, blob: Descriptor, location: str, *, offset: int
    ) -> None:
        pass

    async def drop(self, repository: RepositoryName, digest: Digest) -> None:
        pass


class Bookmark:
    """Where the upload of one blob to one repository can be taken up; small blobs have none."""

    def __init__(self, unfinished: Unfinished, writer: RepositoryWriter, blob: Descriptor) -> None:
        self._unfinished = unfinished
        self._writer = writer
        self._blob = blob

    async def find(self) -> tuple[Upload, int] | None:
        """Return an upload that another process left, and how much of the blob it holds.

        A session that cannot be asked is as good as none: whether the registry can be reached
        shows when the blob is offered.
        """
        if self._blob.size < LARGE:
            return None
        location = await self._unfinished.take(self._writer.name, self._blob.digest)
        if location is None:
            return None
        try:
            upload = await self._writer.continue_upload(self._blob, location)
            offset = await upload.received()
        except RegistryError:
            return None
        return (upload, offset) if offset else None

    async def put(self, upload: Upload, offset: int) -> None:
        """Remember an upload of which the registry has *offset* bytes."""
        if self._blob.size >= LARGE and (location := upload.location):
            await self._unfinished.keep(self._writer.name, self._blob, location, offset=offset)

    async def remove(self) -> None:
        """Forget the upload, as the blob has arrived."""
        if self._blob.size >= LARGE:
            await self._unfinished.drop(self._writer.name, self._blob.digest)
