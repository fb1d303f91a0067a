"""Attachments: what refers to an image, as its signatures, SBOMs and attestations do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from replicator.errors import ReferrerFailed, ReplicatorError
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from replicator.registry.protocols import RepositoryReader
from replicator.transfer.concurrency import together
from replicator.transfer.graph import Graph, read_graph
from replicator.transfer.manifest_reader import ManifestReader
from replicator.transfer.sides import SOURCE, reading_source, reason_of

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

    def __str__(self) -> str:
        return f"{self.tag or self.root.digest}, which refers to {self.subject}"


# One tuple for each step away from the image.
Waves: TypeAlias = tuple[tuple[Attachment, ...], ...]


async def read_attachments(
    reader: ManifestReader, source: RepositoryReader, subjects: Iterable[Digest]
) -> Waves:
    """Read what refers to *subjects*, and what refers to that.

    Raises ReferrerFailed. (distribution-spec, "Listing Referrers")
    """
    waves: list[tuple[Attachment, ...]] = []
    nearest = list(dict.fromkeys(subjects))
    seen = set(nearest)
    for _ in range(MAX_REFERRER_DEPTH):
        found = await together(
            read(reader, source, subject)
            for subject in nearest
            for read in (_read_referrers, _read_signatures)
        )
        wave = {each.root.digest: each for attachments in found for each in attachments}
        new = tuple(each for digest, each in wave.items() if digest not in seen)
        if not new:
            break
        waves.append(new)
        seen |= wave.keys()
        nearest = [each.root.digest for each in new if each.tag is None]
    return tuple(waves)


async def _read_referrers(
    reader: ManifestReader, source: RepositoryReader, subject: Digest
) -> list[Attachment]:
    with _about(f"referrers of {subject}"), reading_source():
        listed = dict.fromkeys(each.digest for each in await source.list_referrers(subject))
        manifests = await together(reader.read(digest) for digest in listed)
        # A list of the tag schema is a tag like any other: where somebody tagged an index that
        # way, its children are not referrers.
        return await together(
            _attachment(reader, subject, manifest)
            for manifest in manifests
            if manifest.subject is not None and manifest.subject.digest == subject
        )


async def _read_signatures(
    reader: ManifestReader, source: RepositoryReader, subject: Digest
) -> list[Attachment]:
    with _about(f"signatures of {subject}"), reading_source():
        tags = await source.signature_tags(subject)
        manifests = await together(reader.read(tag) for tag in tags)
        return await together(
            _attachment(reader, subject, manifest, tag)
            for tag, manifest in zip(tags, manifests, strict=True)
        )


async def _attachment(
    reader: ManifestReader, subject: Digest, root: Manifest, tag: Tag | None = None
) -> Attachment:
    return Attachment(subject, await read_graph(reader, root, foreign_layers=True), tag)


@contextmanager
def _about(what: str) -> Iterator[None]:
    try:
        yield
    except ReplicatorError as error:
        reason = reason_of(error)
        raise ReferrerFailed(f"the {what} cannot be read: {reason}", side=SOURCE) from reason
