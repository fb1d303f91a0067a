"""Where content is, as the ledger remembers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, CompoundSelect, func, select, union, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.planning.observation import Published
from replicator.store.database import Database
from replicator.store.published import PublishedReader
from replicator.store.tables import blob_location, differs_at_source, published_tag
from replicator.values import dataclass

_KEY: Final = ("registry", "repository", "tag")


@dataclass(frozen=True, slots=True)
class BlobPlace:
    """A repository that has a blob, or had it when it was last seen."""

    repository: RepositoryName
    size: int
    confirmed_at: datetime


class Places:
    """Answers where a digest is: under which tags, and as a blob in which repositories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tags_of(
        self, digest: Digest, *, limit: int, covers: Callable[[str], bool] | None = None
    ) -> tuple[Published, ...]:
        """Return tags that were published with *digest*, at the source or the destination.

        *covers* says of the name of a rule whether its tags may be seen; None: all of them.
        """
        read = PublishedReader().read
        async with self._database.reading() as connection:
            rules = None if covers is None else await _covered_rules(connection, digest, covers)
            rows = await connection.execute(tags_with(digest, limit, rules))
            return tuple(read(RepositoryName(row.registry, row.repository), row) for row in rows)

    async def blobs_of(self, digest: Digest, *, limit: int) -> tuple[BlobPlace, ...]:
        """Return repositories that have *digest* as a blob."""
        columns = blob_location.c
        async with self._database.reading() as connection:
            query = (
                select(blob_location)
                .where(
                    columns.registry.in_(await _registries(connection)),
                    columns.digest == str(digest),
                )
                .order_by(columns.registry, columns.repository)
                .limit(limit)
            )
            rows = (await connection.execute(query)).all()
        return tuple(
            BlobPlace(RepositoryName(row.registry, row.repository), row.size, row.confirmed_at)
            for row in rows
        )


def tags_with(
    digest: Digest, limit: int, rules: Collection[str] | None = None
) -> CompoundSelect[Any]:
    """Return the query for the tags whose image has *digest*, each part by an index of its own.

    With one condition for both digests, a database that is to sort and to stop early reads the
    rows in their order until it has found enough, which is all of them. *rules* are those whose
    tags count, None for all.
    """
    parts = [select(published_tag).where(*conditions) for conditions in _named(digest)]
    if rules is not None:
        parts = [part.where(published_tag.c.rule.in_(rules)) for part in parts]
    both = union_all(*parts)
    return both.order_by(*(both.selected_columns[name] for name in _KEY)).limit(limit)


def _named(digest: Digest) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Give the conditions for tags with *digest* at the destination, and at the source alone."""
    yield (published_tag.c.digest == str(digest),)
    yield published_tag.c.source_digest == str(digest), differs_at_source


async def _covered_rules(
    connection: AsyncConnection, digest: Digest, covers: Callable[[str], bool]
) -> list[str]:
    """Return the rules that published *digest* and may be seen; also those that are gone."""
    found = [select(published_tag.c.rule).where(*conditions) for conditions in _named(digest)]
    names = (await connection.scalars(union(*found))).all()
    return [name for name in names if covers(name)]


async def _registries(connection: AsyncConnection) -> list[str]:
    """Hop along the primary key, which begins with the registry: there are millions of rows and a
    handful of registries."""
    found: list[str] = []
    while True:
        after = blob_location.c.registry > (found[-1] if found else "")
        following = await connection.scalar(select(func.min(blob_location.c.registry)).where(after))
        if following is None:
            return found
        found.append(following)
