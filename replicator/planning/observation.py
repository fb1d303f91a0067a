"""What was seen, and what is remembered, of tags on both sides."""

from __future__ import annotations

import enum
from datetime import datetime

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.values import dataclass


class Presence(enum.StrEnum):
    """What is known of a destination tag.

    UNKNOWN is honest: nobody has looked yet, and whoever copies will find out on the way.
    """

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SourceTag:
    """A tag at the source; ``digest`` is None when it was listed but nobody asked for it yet."""

    tag: Tag
    digest: Digest | None
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class DestinationTag:
    """A tag at a destination."""

    presence: Presence
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A row of the ledger: what was last written to a destination tag.

    ``source_digest`` and ``digest`` differ when platforms were selected. ``scope`` says what of
    the image was wanted, such as its platforms, and is empty for all of it: a rule that wants
    something else now publishes again. ``confirmed_at`` is when the destination was last seen,
    or made, to hold ``digest``. All times are in UTC.
    """

    destination: RepositoryName
    tag: Tag
    source: str
    source_digest: Digest
    digest: Digest
    rule: str
    published_at: datetime
    confirmed_at: datetime
    referrers_at: datetime | None = None
    run: str = ""
    sequence: int = 0
    scope: str = ""
