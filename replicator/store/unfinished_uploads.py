"""UnfinishedUploads: sessions of large blobs that are open at registries, for whoever goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, Final

from replicator.errors import StoreError
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCTET_STREAM
from replicator.oci.reference import RepositoryName
from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statements import (
    DROP_MY_UPLOAD,
    DROP_UPLOAD,
    KEEP_UPLOAD,
    KEEPS_A_RUN,
    OLD_UPLOADS,
    SERVES,
    TAKE_UPLOAD,
    UPLOAD,
)
from replicator.values import dataclass

_log = logging.getLogger(__name__)

# Registries forget sessions after some days; nobody is likely to go on with one after so long.
_OLD: Final = timedelta(days=1)
# This process may be at work on one of its own all the while, over a slow link: nothing is noted
# before the end of a blob that is sent in one stream.
_OLD_OWN: Final = timedelta(days=7)
# Services say every few seconds that they are there. What one had begun is taken up by others later
# than its silence is noticed here, so that its blobs go on and do not begin anew.
_HEARD_OF: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class OldUpload:
    """An upload that nobody went on with. The location may carry a right to write."""

    repository: RepositoryName
    blob: Descriptor
    location: str = field(repr=False)


class UnfinishedUploads:
    """Keeps where uploads can be taken up; satisfies the transfer's Unfinished.

    No upload is two processes' at once: one is taken from a process that is gone, or that has
    not been heard of for as long as its runs would be taken from it. A database that is away
    costs bytes, and fails no copy.
    """

    def __init__(self, database: Database, owner: Owner, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._owner = str(owner)
        self._clock = clock

    async def take(self, repository: RepositoryName, digest: Digest) -> str | None:
        location: str | None = None
        with _tolerated():
            async with self._database.noting() as connection:
                location = await self._take(connection, _upload(repository, digest))
        return location

    async def keep(
        self, repository: RepositoryName, blob: Descriptor, location: str, *, offset: int
    ) -> None:
        row = {
            "registry": repository.registry,
            "repository": repository.path,
            "digest": str(blob.digest),
            "size": blob.size,
            "location": location,
            "offset": offset,
            "owner": self._owner,
            "updated_at": self._clock(),
        }
        with _tolerated():
            async with self._database.noting() as connection:
                await connection.execute(KEEP_UPLOAD, row)

    async def drop(self, repository: RepositoryName, digest: Digest) -> None:
        mine = {**_upload(repository, digest), "me": self._owner}
        with _tolerated():
            async with self._database.noting() as connection:
                await connection.execute(DROP_MY_UPLOAD, mine)

    async def take_old(self) -> tuple[OldUpload, ...]:
        """Forget the uploads that nobody goes on with any more, and return them."""
        now = self._clock()
        old = {"me": self._owner, "old": now - _OLD, "very_old": now - _OLD_OWN}
        taken: list[OldUpload] = []
        with _tolerated():
            async with self._database.noting() as connection:
                rows = await connection.execute(OLD_UPLOADS, old)
                taken += [_old_upload(row) for row in rows if await self._is_free(connection, row)]
                for each in taken:
                    upload = _upload(each.repository, each.blob.digest)
                    await connection.execute(DROP_UPLOAD, upload)
        return tuple(taken)

    async def _take(self, connection: Connection, upload: dict[str, Any]) -> str | None:
        found = await connection.execute(UPLOAD, upload)
        if not found or not await self._is_free(connection, found[0]):
            return None
        mine = {"owner": self._owner, "updated_at": self._clock()}
        await connection.execute(TAKE_UPLOAD, upload | mine)
        return str(found[0].location)

    async def _is_free(self, connection: Connection, row: Any) -> bool:
        """Say whether nobody is at work on an upload, or this process itself: then it was
        interrupted, as each blob goes to a repository once at a time."""
        if row.owner == self._owner:
            return True
        alive = Owner.parse(row.owner).is_alive()
        return not await self._was_heard_of(connection, row.owner) if alive is None else not alive

    async def _was_heard_of(self, connection: Connection, owner: str) -> bool:
        """Say whether a process of another machine serves, or keeps a run, by what it wrote."""
        now = self._clock()
        lately = {"of_owner": owner, "since": now - _HEARD_OF}
        return bool(
            await connection.execute(SERVES, lately)
            or await connection.execute(KEEPS_A_RUN, {"of_owner": owner, "now": now})
        )


@contextmanager
def _tolerated() -> Iterator[None]:
    """Let nothing fail because the database is away."""
    try:
        yield
    except StoreError as error:
        _log.warning("unfinished uploads not noted", extra={"error": str(error)})


def _upload(repository: RepositoryName, digest: Digest) -> dict[str, Any]:
    return {
        "at_registry": repository.registry,
        "in_repository": repository.path,
        "of_digest": str(digest),
    }


def _old_upload(row: Any) -> OldUpload:
    return OldUpload(
        RepositoryName(row.registry, row.repository),
        Descriptor(OCTET_STREAM, Digest.parse(row.digest), row.size),
        row.location,
    )
