"""UnfinishedUploads: sessions of large blobs that are open at registries, for whoever goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.errors import StoreError
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCTET_STREAM
from replicator.oci.reference import RepositoryName
from replicator.store.database import Database
from replicator.store.operating_tables import upload_session
from replicator.store.owner import Owner
from replicator.store.tables import run, service
from replicator.store.upsert import upsert
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
            async with self._database.writing() as connection:
                location = await self._take(connection, _is(repository, digest))
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
            async with self._database.writing() as connection:
                await connection.execute(upsert(connection, upload_session), row)

    async def drop(self, repository: RepositoryName, digest: Digest) -> None:
        mine = upload_session.c.owner == self._owner
        with _tolerated():
            async with self._database.writing() as connection:
                await connection.execute(
                    delete(upload_session).where(_is(repository, digest), mine)
                )

    async def take_old(self) -> tuple[OldUpload, ...]:
        """Forget the uploads that nobody goes on with any more, and return them."""
        now, columns = self._clock(), upload_session.c
        is_old = and_(
            columns.updated_at < now - _OLD,
            or_(columns.owner != self._owner, columns.updated_at < now - _OLD_OWN),
        )
        taken: list[OldUpload] = []
        with _tolerated():
            async with self._database.writing() as connection:
                rows = await connection.execute(
                    select(upload_session).where(is_old).with_for_update()
                )
                taken += [
                    _old_upload(row) for row in rows.all() if await self._is_free(connection, row)
                ]
                for each in taken:
                    await connection.execute(
                        delete(upload_session).where(_is(each.repository, each.blob.digest))
                    )
        return tuple(taken)

    async def _take(self, connection: AsyncConnection, this: ColumnElement[bool]) -> str | None:
        found = await connection.execute(select(upload_session).where(this).with_for_update())
        row = found.one_or_none()
        if row is None or not await self._is_free(connection, row):
            return None
        mine = {"owner": self._owner, "updated_at": self._clock()}
        await connection.execute(update(upload_session).where(this).values(mine))
        return str(row.location)

    async def _is_free(self, connection: AsyncConnection, row: Row[Any]) -> bool:
        """Say whether nobody is at work on an upload, or this process itself: then it was
        interrupted, as each blob goes to a repository once at a time."""
        if row.owner == self._owner:
            return True
        alive = Owner.parse(row.owner).is_alive()
        return not await self._was_heard_of(connection, row.owner) if alive is None else not alive

    async def _was_heard_of(self, connection: AsyncConnection, owner: str) -> bool:
        """Say whether a process of another machine serves, or keeps a run, by what it wrote."""
        now = self._clock()
        serves = select(service.c.owner).where(
            service.c.owner == owner, service.c.seen_at >= now - _HEARD_OF
        )
        runs = select(run.c.number).where(
            run.c.owner == owner, run.c.finished_at.is_(None), run.c.leased_until >= now
        )
        return bool(await connection.scalar(serves) or await connection.scalar(runs))


@contextmanager
def _tolerated() -> Iterator[None]:
    """Let nothing fail because the database is away."""
    try:
        yield
    except StoreError as error:
        _log.warning("unfinished uploads not noted", extra={"error": str(error)})


def _is(repository: RepositoryName, digest: Digest) -> ColumnElement[bool]:
    return and_(
        upload_session.c.registry == repository.registry,
        upload_session.c.repository == repository.path,
        upload_session.c.digest == str(digest),
    )


def _old_upload(row: Row[Any]) -> OldUpload:
    return OldUpload(
        RepositoryName(row.registry, row.repository),
        Descriptor(OCTET_STREAM, Digest.parse(row.digest), row.size),
        row.location,
    )
