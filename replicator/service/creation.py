"""When an image was made, as its config says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from replicator.oci.descriptor import Descriptor
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from replicator.oci.strict_json import parse_json
from replicator.registry.protocols import RepositoryReader

# In bytes. A config is text about an image; one beyond this is something else.
_LARGEST_CONFIG: Final = 8 * 1024 * 1024


async def read_creation(reader: RepositoryReader, tag: Tag) -> datetime | None:
    """Return when the image under *tag* was made; None if it does not say.

    Of an index the first image counts that is for a platform. This costs two or three requests,
    one of which counts as a pull. Raises RegistryError.
    """
    manifest = await reader.get_manifest(tag)
    if manifest.is_index:
        image = _first_image(manifest)
        if image is None:
            return None
        manifest = await reader.get_manifest(image.digest)
    config = manifest.config
    if config is None or config.size > _LARGEST_CONFIG:
        return None
    return _created(await _read(reader, config))


def _first_image(index: Manifest) -> Descriptor | None:
    """Return the first child that is for a platform; attestations say "unknown"."""
    for child in index.manifests:
        if child.platform is None or child.platform.os != "unknown":
            return child
    return None


async def _read(reader: RepositoryReader, blob: Descriptor) -> bytes:
    content = bytearray()
    async with reader.read_blob(blob) as pieces:
        async for piece in pieces:
            content += piece
    return bytes(content)


def _created(config: bytes) -> datetime | None:
    try:
        created = datetime.fromisoformat(parse_json(config)["created"])
    except (ValueError, KeyError, TypeError):
        return None
    return created if created.tzinfo else created.replace(tzinfo=UTC)
