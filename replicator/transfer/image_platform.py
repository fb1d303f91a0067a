"""The platform of an image that no index lists, as its config says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from replicator.errors import InvalidManifest
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.manifest import Manifest
from replicator.oci.platform import Platform
from replicator.oci.strict_json import parse_json
from replicator.registry.protocols import RepositoryReader
from replicator.transfer.platforms import no_image_for
from replicator.transfer.sides import reading_source
from replicator.transfer.small_blobs import SmallBlobs

# In bytes. A config is in memory as a whole while it is looked into.
LARGEST_CONFIG: Final = 4 * 1024 * 1024


async def check_platform(
    image: Manifest,
    wanted: Sequence[Platform],
    *,
    source: RepositoryReader,
    small_blobs: SmallBlobs,
) -> None:
    """Raise TransferFailed when *image* is made for a platform, and for none that is *wanted*.

    Artifacts, and images whose config names no platform, are for everybody. *small_blobs* keeps
    the config, so that it is not read a second time when it is copied.
    """
    if image.config is None or image.config.media_type not in media_types.IMAGE_CONFIGS:
        return
    with reading_source():
        own = await _platform_in(image.config, source, small_blobs)
    if own is not None and not any(platform.matches(own) for platform in wanted):
        raise no_image_for(wanted, {own})


async def _platform_in(
    config: Descriptor, source: RepositoryReader, small_blobs: SmallBlobs
) -> Platform | None:
    if config.size > LARGEST_CONFIG:
        raise InvalidManifest(f"its config has over {LARGEST_CONFIG} bytes")
    try:
        said: Any = parse_json(await small_blobs.read(source, config))
    except ValueError:
        return None
    own = Platform.from_json(said)
    # Signatures of cosign's are images that name a platform without a word in it.
    return own if own is not None and own.os and own.architecture else None
