"""The ledger: published tags, and the places of blobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import TextualSelect, bindparam, delete, select, text, tuple_

from replicator.store.prepared.sources.source import Source, row_of
from replicator.store.tables import blob_location, published_tag
from replicator.store.upsert import upsert_into


def sources(dialect: str) -> Mapping[str, Source]:
    """Return the statements about the ledger."""
    return {**_of_tags(dialect), **_of_blobs(dialect)}


def _of_tags(dialect: str) -> Mapping[str, Source]:
    columns, keys = published_tag.c, list(published_tag.primary_key.columns)
    of_rule = select(published_tag).where(columns.rule == bindparam("of_rule"))
    page = of_rule.order_by(*keys).limit(bindparam("limit"))
    last = tuple_(*(bindparam(f"after_{key.name}", type_=key.type) for key in keys))
    here = (
        columns.registry == bindparam("at_registry"),
        columns.repository == bindparam("in_repository"),
    )
    among = columns.tag.in_(bindparam("tags", expanding=True))
    newer = upsert_into(
        dialect, published_tag, where=lambda new: new["sequence"] >= columns.sequence
    )
    return {
        "PUBLISHED_IN": Source(select(published_tag).where(*here)),
        "PUBLISHED_BY": Source(page),
        "PUBLISHED_BY_AFTER": Source(page.where(tuple_(*keys) > last)),
        "PUBLISHED_AT_KEYS": Source(_rows_by_key(*_JSON_LIST[dialect])),
        "RECORD_PUBLISHED": Source(newer, row_of(published_tag)),
        "REMOVE_PUBLISHED": Source(delete(published_tag).where(*here, among)),
    }


def _of_blobs(dialect: str) -> Mapping[str, Source]:
    columns = blob_location.c
    at = columns.registry == bindparam("at_registry")
    here = at, columns.repository == bindparam("in_repository")
    holders = select(columns.digest, columns.repository).where(
        at,
        columns.digest.in_(bindparam("digests", expanding=True)),
        columns.confirmed_at >= bindparam("since"),
    )
    later = upsert_into(
        dialect, blob_location, where=lambda new: new["confirmed_at"] > columns.confirmed_at
    )
    one = delete(blob_location).where(*here, columns.digest == bindparam("of_digest"))
    return {
        "HOLDERS": Source(holders),
        "RECORD_BLOB": Source(later, row_of(blob_location)),
        "FORGET_PLACES": Source(delete(blob_location).where(*here)),
        "FORGET_BLOB": Source(one),
    }


def _rows_by_key(elements: str, element: str) -> TextualSelect:
    """Return the query for the rows whose keys are in a JSON list, one parameter.

    Thousands of parameters cost more than the rows. The join is in this order alone: SQLite
    would look at every row of the table for ``(registry, repository, tag) IN (…)``, and at every
    key for every row if it were free to choose.
    """
    columns = published_tag.columns
    on = " AND ".join(
        f"{column.name} = {element.format(number)}" for number, column in enumerate(columns[:3])
    )
    names = ", ".join(column.name for column in columns)
    sql = f"SELECT {names} FROM {elements} AS keys CROSS JOIN published_tag WHERE {on}"  # noqa: S608
    return text(sql).columns(*columns)


# How a JSON list is made rows, and what is in them, by dialect.
_JSON_LIST: Final = {
    "sqlite": ("json_each(:keys)", "json_extract(keys.value, '$[{}]')"),
    "postgresql": ("json_array_elements(CAST(:keys AS json))", "keys.value ->> {}"),
}
