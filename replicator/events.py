"""Frozen facts that lower layers announce; progress bars, logs and metrics listen."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, TypeAlias

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.values import dataclass


class RequestKind(enum.StrEnum):
    """What a request is about; a label in reports and metrics."""

    PING = "ping"
    TOKEN = "token"
    CATALOG = "catalog"
    TAGS = "tags"
    MANIFEST_HEAD = "manifest_head"
    MANIFEST_GET = "manifest_get"
    MANIFEST_PUT = "manifest_put"
    MANIFEST_DELETE = "manifest_delete"
    BLOB_HEAD = "blob_head"
    BLOB_GET = "blob_get"
    UPLOAD = "upload"
    REFERRERS = "referrers"
    API = "api"


class BlobOutcome(enum.StrEnum):
    """How a blob came to be at the destination."""

    PRESENT = "present"
    MOUNTED = "mounted"
    COPIED = "copied"


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """A request went over the wire; ``status`` is None when no answer came."""

    registry: str
    kind: RequestKind
    status: int | None
    seconds: float
    method: str


@dataclass(frozen=True, slots=True)
class RequestRetried:
    """A request will be repeated after ``seconds``.

    ``silence`` is how many seconds nobody answered, 0 where somebody did. The next try is number
    ``number`` of ``tries``; both are 0 where nobody counts.
    """

    registry: str
    kind: RequestKind
    reason: str
    seconds: float
    silence: float = 0.0
    number: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class RegistryWarned:
    """A registry sent a Warning header, or did something odd that was worked around."""

    registry: str
    text: str


@dataclass(frozen=True, slots=True)
class TagStarted:
    """A tag is being copied and what it refers to is known.

    ``blobs`` are the digests and sizes of all its blobs, those of referrers aside.
    """

    source: str
    destination: RepositoryName
    tag: Tag
    blobs: Mapping[Digest, int]


@dataclass(frozen=True, slots=True)
class TagFinished:
    """A tag is in step, or not: then ``error`` says why, and ``kind`` which error it is.

    ``written`` is false when it was in step before; ``added`` is how many referrers its image got
    all the same.
    """

    source: str
    destination: RepositoryName
    tag: Tag
    digest: Digest | None
    error: str | None
    kind: str = ""
    written: bool = False
    added: int = 0


@dataclass(frozen=True, slots=True)
class BlobStarted:
    """Bytes of a blob begin to flow to a destination."""

    destination: RepositoryName
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class BlobProgressed:
    """The destination took ``size`` more bytes; negative when it lost some and they go again."""

    destination: RepositoryName
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class BlobFinished:
    """A blob is at the destination."""

    destination: RepositoryName
    digest: Digest
    size: int
    outcome: BlobOutcome


@dataclass(frozen=True, slots=True)
class ManifestWritten:
    """A manifest is at the destination, by its digest or, if given, under a tag."""

    destination: RepositoryName
    digest: Digest
    tag: Tag | None


@dataclass(frozen=True, slots=True)
class ItemStarted:
    """A part of a run was taken up, in the task that carries it out."""

    run: str
    rule: str
    item: int
    kind: str
    attempt: int


@dataclass(frozen=True, slots=True)
class ItemFinished:
    """A part of a run was carried out, or not: then ``error`` says why."""

    run: str
    item: int
    error: str | None


@dataclass(frozen=True, slots=True)
class RunFinished:
    """A run ended in this process, which closed it; others may have carried out parts of it."""

    run: str
    rule: str
    state: str
    started_at: datetime
    finished_at: datetime


Event: TypeAlias = (
    RequestFinished
    | RequestRetried
    | RegistryWarned
    | TagStarted
    | TagFinished
    | BlobStarted
    | BlobProgressed
    | BlobFinished
    | ManifestWritten
    | ItemStarted
    | ItemFinished
    | RunFinished
)


class Listener(Protocol):
    """Hears what happened. Called inline, so it must be quick and must not raise."""

    def __call__(self, event: Event, /) -> None: ...


def ignore(event: Event, /) -> None:
    """Hear nothing: the listener of who does not care."""


def to_all(*listeners: Listener) -> Listener:
    """Return a listener that passes each event on to all of *listeners*."""

    def listener(event: Event, /) -> None:
        for each in listeners:
            each(event)

    return listener
