"""Between published tags and their rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published


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
