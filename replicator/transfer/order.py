"""Order: one image, from one source to one or more destination tags; and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields
from typing import TypeAlias

from replicator.errors import ReplicatorError
from replicator.oci.digest import Digest
from replicator.oci.platform import Platform
from replicator.oci.reference import ManifestRef, RepositoryName, Tag
from replicator.registry.protocols import RepositoryReader, RepositoryWriter
from replicator.values import dataclass


@dataclass(slots=True)
class Tally:
    """Bytes and numbers of blobs by how they came to be there.

    Bytes count as moved when the destination took them, also those of a blob that is not whole yet.
    Of a blob that an earlier process began they are the rest; what was there before is skipped.
    """

    bytes_moved: int = 0
    bytes_mounted: int = 0
    bytes_skipped: int = 0
    blobs_moved: int = 0
    blobs_mounted: int = 0
    blobs_skipped: int = 0

    def add(self, other: Tally) -> None:
        for each in fields(Tally):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def since(self, earlier: Tally) -> Tally:
        """Return what came after *earlier*, which is of the same."""
        names = [each.name for each in fields(Tally)]
        return Tally(*(getattr(self, name) - getattr(earlier, name) for name in names))


TallySoFar: TypeAlias = Callable[[], Tally]


@dataclass(frozen=True, slots=True)
class Destination:
    """A tag to be written."""

    repository: RepositoryWriter
    tag: Tag


@dataclass(frozen=True, slots=True)
class Order:
    """One image to be copied.

    ``reference`` is a digest where the plan has pinned one; a tag is resolved once, by reading
    it, and pinned from then on. ``platforms`` empty means the whole index, digest unchanged.
    ``tag`` is what named the digest when somebody looked: it is read when the digest is gone,
    as some registries forget a digest as soon as no tag names it any more. With ``repoint``,
    what refers to an index that is cut down to ``platforms`` is made to refer to the new one.
    ``thorough`` offers each blob and writes each manifest, also where the tag names the image.
    ``begun`` hears for each destination whom to ask what came of it so far, or until the copy was
    cancelled.
    """

    source: RepositoryReader
    reference: ManifestRef
    destinations: tuple[Destination, ...]
    platforms: tuple[Platform, ...] = ()
    referrers: bool = True
    foreign_layers: bool = False
    tag: Tag | None = None
    repoint: bool = False
    begun: Callable[[TallySoFar], None] | None = None
    thorough: bool = False

    @property
    def source_text(self) -> str:
        """What is copied, as people write it."""
        separator = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.source.name}{separator}{self.reference}"


@dataclass(slots=True)
class Result:
    """What became of one destination tag of an order.

    ``source_digest`` is what the source's tag named, ``digest`` what the destination's tag
    names now; both None when it failed before they were known. ``written`` is false when the
    destination already had the image. ``side`` says whose answer ``error`` was. Of the referrers
    of an index that was cut down, ``repointed`` refer to the new one, ``left_behind`` cannot.
    ``attached`` are tags made of digests, such as cosign's, that came along or were there.
    ``added`` is how many referrers an image got that was there already.
    """

    destination: RepositoryName
    tag: Tag
    source_digest: Digest | None = None
    digest: Digest | None = None
    written: bool = False
    error: ReplicatorError | None = None
    side: str = ""
    attempts: int = 1
    tally: Tally = field(default_factory=Tally)
    repointed: int = 0
    left_behind: int = 0
    added: int = 0
    attached: dict[Tag, Digest] = field(default_factory=dict)
