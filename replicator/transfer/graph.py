"""Graph: a manifest and all that it reaches, in the order in which it can be written."""

from __future__ import annotations

from typing import Final

from replicator.errors import InvalidManifest
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.transfer.manifest_reader import ManifestReader
from replicator.transfer.sides import reading_source
from replicator.values import dataclass

# Levels of manifests, the root's included.
MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Graph:
    """An image and everything it references, each digest once.

    ``levels`` are the manifests below the root, deepest first: what is in one level refers only
    to levels before it. ``blobs`` are in the order in which they are met.
    """

    root: Manifest
    levels: tuple[tuple[Manifest, ...], ...]
    blobs: tuple[Descriptor, ...]


async def read_graph(reader: ManifestReader, root: Manifest, *, foreign_layers: bool) -> Graph:
    """Read what *root* reaches, level by level; a subject is not reached, but pointed at.

    Without *foreign_layers*, layers that are not meant to be stored in a registry are left out.
    Raises TransferFailed, also for what is nested too deeply. (image-spec, image-index.md)
    """
    depths: dict[Digest, int] = {}
    manifests: dict[Digest, Manifest] = {}
    blobs: dict[Digest, Descriptor] = {}
    level = [root]
    for depth in range(MAX_DEPTH):
        for manifest in level:
            # Met again further down, it moves down: only then do children come before parents.
            depths[manifest.digest] = depth
            manifests[manifest.digest] = manifest
            blobs |= {blob.digest: blob for blob in blobs_of(manifest, foreign_layers)}
        children = {child.digest: child for manifest in level for child in manifest.manifests}
        if not children:
            return Graph(root, _levels(manifests, depths), tuple(blobs.values()))
        level, found = await reader.read_children(children.values())
        blobs |= {blob.digest: blob for blob in found}
    with reading_source():
        raise InvalidManifest(f"manifests are nested more than {MAX_DEPTH} deep")


def blobs_of(manifest: Manifest, foreign_layers: bool) -> tuple[Descriptor, ...]:
    """Return the blobs of *manifest* that are copied."""
    return tuple(
        blob
        for blob in manifest.blobs
        if foreign_layers or not media_types.is_foreign(blob.media_type)
    )


def _levels(
    manifests: dict[Digest, Manifest], depths: dict[Digest, int]
) -> tuple[tuple[Manifest, ...], ...]:
    deepest = max(depths.values())
    return tuple(
        tuple(manifests[digest] for digest, at in depths.items() if at == depth)
        for depth in range(deepest, 0, -1)
    )
