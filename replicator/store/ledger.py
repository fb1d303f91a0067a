"""Ledger: what was published, and which blobs are where. A dated observation, never the truth."""

from __future__ import annotations

import json
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import bindparam, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published
from replicator.store.database import Database
from replicator.store.published import ROWS_BY_KEY, PublishedReader, published_to_row
from replicator.store.tables import blob_location, published_tag
from replicator.store.upsert import in_order, upsert

# Values in one statement; SQLite and PostgreSQL both allow 32,000, and long lists gain nothing.
_BATCH: Final = 500

_Item = TypeVar("_Item")
# Refuses a transaction by an error.
Fence: TypeAlias = Callable[[AsyncConnection], Awaitable[None]]


class Ledger:
    """Remembers published tags and the places of blobs."""

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence

    def fenced(self, fence: Fence) -> Ledger:
        """Return the same ledger, which takes a row only if *fence* lets its transaction pass."""
        return Ledger(self._database, fence)

    async def published(self, destination: RepositoryName) -> dict[Tag, Published]:
        """Return what was published in one repository, by tag."""
        query = select(published_tag).where(*_in_repository(published_tag.c, destination))
        read = PublishedReader().read
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return {row.tag: row for row in (read(destination, row) for row in rows)}

    async def published_by(self, rule: str) -> AsyncIterator[tuple[Published, ...]]:
        """Give all rows of a rule, in batches, those of one repository together."""
        key = tuple_(*published_tag.primary_key.columns)
        query = select(published_tag).where(published_tag.c.rule == rule)
        query = query.order_by(*published_tag.primary_key.columns).limit(_BATCH)
        read, last = PublishedReader().read, None
        while True:
            page = query if last is None else query.where(key > last)
            async with self._database.reading() as connection:
                rows = (await connection.execute(page)).all()
            if not rows:
                return
            last = rows[-1].registry, rows[-1].repository, rows[-1].tag
            yield tuple(read(RepositoryName(row.registry, row.repository), row) for row in rows)

    async def published_tags(
        self, wanted: Mapping[RepositoryName, Collection[Tag]]
    ) -> dict[tuple[RepositoryName, Tag], Published]:
        """Return the rows of *wanted* tags of many repositories, as far as there are any."""
        names = {(name.registry, name.path): name for name in wanted}
        keys = [(*key, str(tag)) for key, name in names.items() for tag in wanted[name]]
        found: dict[tuple[RepositoryName, Tag], Published] = {}
        read = PublishedReader().read
        async with self._database.reading() as connection:
            query = ROWS_BY_KEY[connection.dialect.name]
            for row in await connection.execute(query, {"keys": json.dumps(keys)}):
                published = read(names[row[0], row[1]], row)
                found[published.destination, published.tag] = published
        return found

    async def record(
        self,
        rows: Sequence[Published],
        blobs: Collection[tuple[RepositoryName, Descriptor]],
        *,
        at: datetime,
    ) -> None:
        """Remember published tags, and blobs seen or put *at* a time, in one transaction.

        An observation never replaces one of a higher sequence: a run that was taken for dead and
        comes back late changes nothing. (I-3)
        """
        async with self._writing() as connection:
            if rows:
                newer = upsert(
                    connection,
                    published_tag,
                    where=lambda new: new["sequence"] >= published_tag.c.sequence,
                )
                await connection.execute(
                    newer, in_order(published_tag, map(published_to_row, rows))
                )
            if blobs:
                later = upsert(
                    connection,
                    blob_location,
                    where=lambda new: new["confirmed_at"] > blob_location.c.confirmed_at,
                )
                found = (_blob_row(*blob, at) for blob in blobs)
                await connection.execute(later, in_order(blob_location, found))

    async def remove_published(self, destination: RepositoryName, tags: Collection[Tag]) -> None:
        """Forget that *tags* were published, as they were removed."""
        async with self._writing() as connection:
            for batch in _batched(tags):
                await connection.execute(
                    delete(published_tag).where(
                        *_in_repository(published_tag.c, destination),
                        published_tag.c.tag.in_(batch),
                    )
                )

    async def holders(
        self, registry: str, digests: Collection[Digest], *, since: datetime
    ) -> dict[Digest, frozenset[str]]:
        """Return the paths of the repositories of *registry* that held each of *digests*, as
        last seen at *since* or later."""
        paths: dict[str, set[str]] = {str(digest): set() for digest in digests}
        async with self._database.reading() as connection:
            for batch in _batched(paths):
                query = select(blob_location.c.digest, blob_location.c.repository).where(
                    blob_location.c.registry == registry,
                    blob_location.c.digest.in_(batch),
                    blob_location.c.confirmed_at >= since,
                )
                for digest, path in await connection.execute(query):
                    paths[digest].add(path)
        return {digest: frozenset(paths[str(digest)]) for digest in digests}

    async def forget_places(self, repositories: Collection[RepositoryName]) -> None:
        """Forget which blobs *repositories* hold: what is known of them was wrong."""
        async with self._writing() as connection:
            for name in repositories:
                await connection.execute(
                    delete(blob_location).where(*_in_repository(blob_location.c, name))
                )

    async def forget_blobs(self, blobs: Collection[tuple[RepositoryName, Digest]]) -> None:
        """Forget that repositories hold blobs: their registries say that they do not."""
        if not blobs:
            return
        columns = blob_location.c
        forget = delete(blob_location).where(
            columns.registry == bindparam("at_registry"),
            columns.digest == bindparam("of_digest"),
            columns.repository == bindparam("in_repository"),
        )
        rows = [
            {
                "at_registry": repository.registry,
                "of_digest": str(digest),
                "in_repository": repository.path,
            }
            for repository, digest in sorted(blobs, key=_place)
        ]
        async with self._database.writing() as connection:
            await connection.execute(forget, rows)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        async with self._database.writing() as connection:
            if self._fence is not None:
                await self._fence(connection)
            yield connection


def _place(blob: tuple[RepositoryName, Digest]) -> tuple[str, str, str]:
    """Return the key of a blob's row, by which rows are written in one order; see in_order."""
    repository, digest = blob
    return repository.registry, str(digest), repository.path


def _blob_row(repository: RepositoryName, blob: Descriptor, at: datetime) -> dict[str, Any]:
    return {
        "registry": repository.registry,
        "digest": str(blob.digest),
        "repository": repository.path,
        "size": blob.size,
        "confirmed_at": at,
    }


def _in_repository(columns: Any, name: RepositoryName) -> tuple[Any, Any]:
    return columns.registry == name.registry, columns.repository == name.path


def _batched(items: Iterable[_Item]) -> Iterator[tuple[_Item, ...]]:
    iterator = iter(items)
    while batch := tuple(islice(iterator, _BATCH)):
        yield batch
