"""When an image was made, as its config says."""

from __future__ import annotations

from datetime import UTC, datetime

from replicator.oci.descriptor import Descriptor
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from replicator.oci.strict_json import parse_json
from replicator.registry.protocols import RepositoryReader
from replicator.service.looking.config_reading import read_config


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
    if manifest.config is None:
        return None
    config = await read_config(reader, manifest.config)
    return None if config is None else _created(config)


def _first_image(index: Manifest) -> Descriptor | None:
    """Return the first child that is for a platform; attestations say "unknown"."""
    for child in index.manifests:
        if child.platform is None or child.platform.os != "unknown":
            return child
    return None


def _created(config: bytes) -> datetime | None:
    try:
        created = datetime.fromisoformat(parse_json(config)["created"])
    except (ValueError, KeyError, TypeError):
        return None
    return created if created.tzinfo else created.replace(tzinfo=UTC)
