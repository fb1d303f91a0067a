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
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published
from replicator.store.database import Database
from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statements import (
    FORGET_BLOB,
    FORGET_PLACES,
    HOLDERS,
    PUBLISHED_AT_KEYS,
    PUBLISHED_BY,
    PUBLISHED_BY_AFTER,
    PUBLISHED_IN,
    RECORD_BLOB,
    RECORD_PUBLISHED,
    REMOVE_PUBLISHED,
)
from replicator.store.published import PublishedReader, published_to_row

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

# Values in one statement; SQLite and PostgreSQL both allow 32,000, and long lists gain nothing.
_BATCH: Final = 500

# A server locks each row as it is written: two transactions that write the same rows in another
# order would wait for each other for ever. So all do it in the order of the tables' keys.
_TAG_KEY: Final = itemgetter("registry", "repository", "tag")
_BLOB_KEY: Final = itemgetter("registry", "digest", "repository")

_Item = TypeVar("_Item")
# Refuses a transaction by an error.
Fence: TypeAlias = Callable[["AsyncConnection"], Awaitable[None]]


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
        read = PublishedReader().read
        rows = await self._database.ask(PUBLISHED_IN, _repository(destination))
        return {row.tag: row for row in (read(destination, row) for row in rows)}

    async def published_by(self, rule: str) -> AsyncIterator[tuple[Published, ...]]:
        """Give all rows of a rule, in batches, those of one repository together."""
        read, page = PublishedReader().read, {"of_rule": rule, "limit": _BATCH}
        rows = await self._database.ask(PUBLISHED_BY, page)
        while rows:
            yield tuple(read(RepositoryName(row.registry, row.repository), row) for row in rows)
            last = rows[-1]
            after = {
                "after_registry": last.registry,
                "after_repository": last.repository,
                "after_tag": last.tag,
            }
            rows = await self._database.ask(PUBLISHED_BY_AFTER, page | after)

    async def published_tags(
        self, wanted: Mapping[RepositoryName, Collection[Tag]]
    ) -> dict[tuple[RepositoryName, Tag], Published]:
        """Return the rows of *wanted* tags of many repositories, as far as there are any."""
        names = {(name.registry, name.path): name for name in wanted}
        keys = [(*key, str(tag)) for key, name in names.items() for tag in wanted[name]]
        found: dict[tuple[RepositoryName, Tag], Published] = {}
        read = PublishedReader().read
        for row in await self._database.ask(PUBLISHED_AT_KEYS, {"keys": json.dumps(keys)}):
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
                published = map(published_to_row, rows)
                await connection.execute(RECORD_PUBLISHED, sorted(published, key=_TAG_KEY))
            if blobs:
                found = (_blob_row(*blob, at) for blob in blobs)
                await connection.execute(RECORD_BLOB, sorted(found, key=_BLOB_KEY))

    async def remove_published(self, destination: RepositoryName, tags: Collection[Tag]) -> None:
        """Forget that *tags* were published, as they were removed."""
        async with self._writing() as connection:
            for batch in _batched(tags):
                gone = {**_repository(destination), "tags": list(map(str, batch))}
                await connection.execute(REMOVE_PUBLISHED, gone)

    async def holders(
        self, registry: str, digests: Collection[Digest], *, since: datetime
    ) -> dict[Digest, frozenset[str]]:
        """Return the paths of the repositories of *registry* that held each of *digests*, as
        last seen at *since* or later."""
        paths: dict[str, set[str]] = {str(digest): set() for digest in digests}
        for batch in _batched(paths):
            asked = {"at_registry": registry, "digests": batch, "since": since}
            for digest, path in await self._database.ask(HOLDERS, asked):
                paths[digest].add(path)
        return {digest: frozenset(paths[str(digest)]) for digest in digests}

    async def forget_places(self, repositories: Collection[RepositoryName]) -> None:
        """Forget which blobs *repositories* hold: what is known of them was wrong."""
        async with self._writing() as connection:
            await connection.execute(FORGET_PLACES, list(map(_repository, repositories)))

    async def forget_blobs(self, blobs: Collection[tuple[RepositoryName, Digest]]) -> None:
        """Forget that repositories hold blobs: their registries say that they do not."""
        if not blobs:
            return
        rows = [
            {**_repository(repository), "of_digest": str(digest)}
            for repository, digest in sorted(blobs, key=_place)
        ]
        async with self._database.noting() as connection:
            await connection.execute(FORGET_BLOB, rows)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Connection]:
        if self._fence is None:
            async with self._database.noting() as noting:
                yield noting
            return
        # Fences are of services, which have SQLAlchemy loaded.
        from replicator.store.prepared.alchemy import AlchemyTransaction

        async with self._database.writing() as connection:
            await self._fence(connection)
            yield AlchemyTransaction(connection)


def _place(blob: tuple[RepositoryName, Digest]) -> tuple[str, str, str]:
    """Return the key of a blob's row, by which rows are written in one order; see _BLOB_KEY."""
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


def _repository(name: RepositoryName) -> dict[str, Any]:
    return {"at_registry": name.registry, "in_repository": name.path}


def _batched(items: Iterable[_Item]) -> Iterator[tuple[_Item, ...]]:
    iterator = iter(items)
    while batch := tuple(islice(iterator, _BATCH)):
        yield batch
