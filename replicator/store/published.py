"""Between published tags and their rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import TextualSelect, text

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published
from replicator.store.tables import published_tag


class PublishedReader:
    """Makes values of rows, and equal values only once: tags share their texts and times."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._times: dict[datetime, datetime] = {}

    def read(self, destination: RepositoryName, row: Any) -> Published:
        (_, _, tag, source, source_digest, digest, scope, rule, run, sequence, *times) = row
        published_at, confirmed_at, referrers_at = times
        read_digest = Digest.parse(source_digest)
        return Published(
            destination,
            Tag(tag),
            source,
            read_digest,
            read_digest if digest == source_digest else Digest.parse(digest),
            self._texts.setdefault(rule, rule),
            self._times.setdefault(published_at, published_at),
            self._times.setdefault(confirmed_at, confirmed_at),
            referrers_at and self._times.setdefault(referrers_at, referrers_at),
            self._texts.setdefault(run, run),
            sequence,
            self._texts.setdefault(scope, scope),
        )


def published_to_row(row: Published) -> dict[str, Any]:
    """Return the row of a published tag."""
    return {
        "registry": row.destination.registry,
        "repository": row.destination.path,
        "tag": str(row.tag),
        "source": row.source,
        "source_digest": str(row.source_digest),
        "digest": str(row.digest),
        "scope": row.scope,
        "rule": row.rule,
        "run": row.run,
        "sequence": row.sequence,
        "published_at": row.published_at,
        "confirmed_at": row.confirmed_at,
        "referrers_at": row.referrers_at,
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


# The rows whose registry, repository and tag are in the JSON list ``keys``, by dialect.
ROWS_BY_KEY: Final = {
    "sqlite": _rows_by_key("json_each(:keys)", "json_extract(keys.value, '$[{}]')"),
    "postgresql": _rows_by_key("json_array_elements(CAST(:keys AS json))", "keys.value ->> {}"),
}
