"""What an image says of itself, read from its manifests and, for labels, its config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from replicator.errors import InvalidManifest
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.manifest import Manifest
from replicator.oci.platform import Platform
from replicator.oci.reference import ManifestRef
from replicator.oci.strict_json import parse_json
from replicator.planning.content import Content
from replicator.registry.protocols import RepositoryReader
from replicator.service.looking.config_reading import read_config

# Children of an index that are read to add up its size.
_MOST_CHILDREN: Final = 64


async def read_content(
    reader: RepositoryReader,
    ref: ManifestRef,
    *,
    platforms: Sequence[Platform],
    labels: bool,
) -> Content:
    """Read what there is to know of an image.

    Of an index with *platforms*, only their children count. Each manifest is a request, and on
    some registries a pull. Raises RegistryError, InvalidManifest.
    """
    root = await reader.get_manifest(ref)
    children = [await reader.get_manifest(child.digest) for child in _children(root, platforms)]
    images = children or [root]
    blobs = {blob.digest: blob.size for each in (root, *children) for blob in each.blobs}
    annotations = {**images[0].annotations, **root.annotations}
    types = {_type_of(each) for each in (root, *children)} - {""}
    found = await _labels(reader, images) if labels else None
    return Content(frozenset(types), annotations, found, sum(blobs.values()))


def _children(root: Manifest, platforms: Sequence[Platform]) -> Sequence[Descriptor]:
    wanted = [
        child
        for child in root.manifests
        if child.media_type in media_types.MANIFEST_TYPES and _is_for(child, platforms)
    ]
    if len(wanted) > _MOST_CHILDREN:
        raise InvalidManifest(
            f"an index of {len(wanted)} manifests; content is checked of {_MOST_CHILDREN} at most"
        )
    return wanted


def _is_for(child: Descriptor, platforms: Sequence[Platform]) -> bool:
    own = child.platform
    return not platforms or (own is not None and any(each.matches(own) for each in platforms))


def _type_of(manifest: Manifest) -> str:
    return manifest.artifact_type or (manifest.config.media_type if manifest.config else "")


async def _labels(reader: RepositoryReader, images: Sequence[Manifest]) -> Mapping[str, str]:
    """Return the labels of the first image that has a config."""
    image = next((each for each in images if each.config is not None), None)
    content = await read_config(reader, image.config) if image and image.config else None
    return {} if content is None else _labels_in(content)


def _labels_in(content: bytes) -> Mapping[str, str]:
    try:
        document: Any = parse_json(content)
    except ValueError:
        return {}
    config = document.get("config") if isinstance(document, dict) else None
    labels = config.get("Labels") if isinstance(config, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {key: value for key, value in labels.items() if isinstance(value, str)}
