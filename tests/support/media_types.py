"""Media types, spelled out once more: the tests do not take them from the subject."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flavour:
    """The two ways to write down the same kind of image."""

    image: str
    index: str
    config: str
    layer: str


OCI = Flavour(
    image="application/vnd.oci.image.manifest.v1+json",
    index="application/vnd.oci.image.index.v1+json",
    config="application/vnd.oci.image.config.v1+json",
    layer="application/vnd.oci.image.layer.v1.tar+gzip",
)
DOCKER = Flavour(
    image="application/vnd.docker.distribution.manifest.v2+json",
    index="application/vnd.docker.distribution.manifest.list.v2+json",
    config="application/vnd.docker.container.image.v1+json",
    layer="application/vnd.docker.image.rootfs.diff.tar.gzip",
)
EMPTY = "application/vnd.oci.empty.v1+json"

MANIFESTS = ", ".join([OCI.image, OCI.index, DOCKER.image, DOCKER.index])
