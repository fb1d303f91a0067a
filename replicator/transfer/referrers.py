"""Attachments: what refers to an image, as its signatures, SBOMs and attestations do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from replicator.errors import ReferrerFailed, ReplicatorError
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import ManifestRef, Tag
from replicator.transfer.concurrency import together
from replicator.transfer.graph import Graph, read_graph
from replicator.transfer.manifest_reader import ManifestReader
from replicator.transfer.order import Order
from replicator.transfer.sides import SOURCE, reading_source, reason_of
from replicator.values import dataclass

# A signature of an SBOM is the second; nobody signs further down.
MAX_REFERRER_DEPTH: Final = 2


@dataclass(frozen=True, slots=True)
class Attachment:
    """A referrer of *subject*; or, with a *tag*, what cosign keeps under a tag made of its
    digest."""

    subject: Digest
    graph: Graph
    tag: Tag | None = None

    @property
    def root(self) -> Manifest:
        return self.graph.root

    @property
    def key(self) -> ManifestRef:
        """What it is written as: two images may have signatures of the same content."""
        return self.tag or self.root.digest

    def __str__(self) -> str:
        return f"{self.key}, which refers to {self.subject}"


# One tuple for each step away from the image.
Waves: TypeAlias = tuple[tuple[Attachment, ...], ...]


async def read_attachments(
    reader: ManifestReader, order: Order, subjects: Iterable[Digest]
) -> Waves:
    """Read what refers to *subjects*, and what refers to that.

    Raises ReferrerFailed. (distribution-spec, "Listing Referrers")
    """
    search = _Search(reader, order)
    waves: list[tuple[Attachment, ...]] = []
    nearest = list(dict.fromkeys(subjects))
    seen: set[ManifestRef] = set(nearest)
    for _ in range(MAX_REFERRER_DEPTH):
        found = await together(
            find(subject) for subject in nearest for find in (search.referrers, search.signatures)
        )
        wave = {each.key: each for attachments in found for each in attachments}
        new = tuple(each for key, each in wave.items() if key not in seen)
        if not new:
            break
        waves.append(new)
        seen |= wave.keys()
        nearest = [each.root.digest for each in new if each.tag is None]
    return tuple(waves)


def tags_of(waves: Waves) -> dict[Tag, Digest]:
    """Return the tags that are kept for others' digests, and what they name."""
    attached = (each for wave in waves for each in wave)
    return {each.tag: each.root.digest for each in attached if each.tag is not None}


class _Search:
    """Finds what refers to a manifest of the order's source."""

    def __init__(self, reader: ManifestReader, order: Order) -> None:
        self._reader = reader
        self._source = order.source
        self._foreign_layers = order.foreign_layers

    async def referrers(self, subject: Digest) -> list[Attachment]:
        with _about(f"referrers of {subject}"), reading_source():
            listed = [each.digest for each in await self._source.list_referrers(subject)]
            manifests = await together(map(self._reader.read, dict.fromkeys(listed)))
            # A list of the tag schema is a tag like any other: where somebody tagged an index
            # that way, its children are not referrers.
            return await together(
                self._attachment(subject, manifest)
                for manifest in manifests
                if manifest.subject is not None and manifest.subject.digest == subject
            )

    async def signatures(self, subject: Digest) -> list[Attachment]:
        with _about(f"signatures of {subject}"), reading_source():
            tags = await self._source.signature_tags(subject)
            manifests = await together(map(self._reader.read_root, tags))
            return await together(
                self._attachment(subject, manifest, tag)
                for tag, manifest in zip(tags, manifests, strict=True)
            )

    async def _attachment(
        self, subject: Digest, root: Manifest, tag: Tag | None = None
    ) -> Attachment:
        graph = await read_graph(self._reader, root, foreign_layers=self._foreign_layers)
        return Attachment(subject, graph, tag)


@contextmanager
def _about(what: str) -> Iterator[None]:
    try:
        yield
    except ReplicatorError as error:
        reason = reason_of(error)
        raise ReferrerFailed(f"the {what} cannot be read: {reason}", side=SOURCE) from reason
