"""Media types of manifests, and which of them are indexes. (image-spec, media-types.md)"""

from __future__ import annotations

from typing import Final

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
SCHEMA1_SIGNED: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"
SCHEMA1: Final = "application/vnd.docker.distribution.manifest.v1+json"
# Withdrawn before image-spec 1.1, still met in the wild.
OCI_ARTIFACT: Final = "application/vnd.oci.artifact.manifest.v1+json"

EMPTY: Final = "application/vnd.oci.empty.v1+json"
OCTET_STREAM: Final = "application/octet-stream"

# The configs of images, which name the platform that the image is made for. (image-spec, config.md)
IMAGE_CONFIGS: Final = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)

INDEXES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
SCHEMA1_TYPES: Final = frozenset({SCHEMA1_SIGNED, SCHEMA1})

# All seven, indexes first: a registry converts or hides what is not accepted, so a list that
# lacks one yields another manifest, with another digest, or a false 404.
MANIFEST_TYPES: Final = (
    OCI_INDEX,
    OCI_MANIFEST,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    SCHEMA1_SIGNED,
    SCHEMA1,
    OCI_ARTIFACT,
)

_FOREIGN_PREFIXES: Final = (
    "application/vnd.docker.image.rootfs.foreign.",
    "application/vnd.oci.image.layer.nondistributable.",
)


def is_foreign(media_type: str) -> bool:
    """Say whether a layer of this type is not meant to be stored in a registry.

    The media type decides, not the presence of ``urls``. (image-spec, layer.md,
    "Non-Distributable Layers")
    """
    return media_type.startswith(_FOREIGN_PREFIXES)


def without_parameters(content_type: str) -> str:
    """Return a Content-Type in lower case, without ``; charset=…``."""
    return content_type.partition(";")[0].strip().lower()
