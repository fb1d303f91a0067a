"""Embedded registries for tests, and content that is put straight into their storage.

What is stored depends on the arguments alone: the same call gives the same digests everywhere.
Nothing is checked, so that a test can also store what no registry would take.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, Protocol

import pytest

from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.storage import Storage, StoredManifest
from replicator.oci import media_types
from replicator.oci.descriptor import EMPTY_CONTENT, Descriptor
from replicator.oci.digest import Digest
from replicator.oci.platform import Platform
from tests.support.content import LayerPieces

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
SIGNATURE = "application/vnd.example.signature"

_OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class StartRegistry(Protocol):
    """Starts a registry; takes what EmbeddedRegistry takes."""

    def __call__(
        self, storage: Storage | None = None, **options: Any
    ) -> Awaitable[EmbeddedRegistry]: ...


@pytest.fixture
async def start_registry() -> AsyncIterator[StartRegistry]:
    """Starts any number of registries, which end with the test."""
    async with AsyncExitStack() as stack:

        async def start(storage: Storage | None = None, **options: Any) -> EmbeddedRegistry:
            return await stack.enter_async_context(EmbeddedRegistry(storage, **options))

        yield start


def random_bytes(seed: str, size: int) -> bytes:
    """Make *size* bytes that do not compress, always the same for one *seed*."""
    return random.Random(seed).randbytes(size)


def store_blob(
    storage: Storage,
    repository: str,
    content: bytes,
    media_type: str = media_types.OCTET_STREAM,
    *,
    algorithm: str = "sha256",
) -> Descriptor:
    blob = Descriptor(media_type, Digest.of(content, algorithm), len(content))
    staged = storage.stage_blob()
    staged.append(content)
    staged.commit(repository, blob.digest)
    return blob


def store_manifest(
    storage: Storage,
    repository: str,
    body: Mapping[str, Any] | bytes,
    media_type: str = media_types.OCI_MANIFEST,
    *,
    tag: str | None = None,
    algorithm: str = "sha256",
) -> Descriptor:
    """Store *body* as it is, or as JSON; one with a subject is listed among its referrers."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    digest = Digest.of(content, algorithm)
    storage.put_manifest(repository, digest, StoredManifest(media_type, content))
    if not isinstance(body, bytes) and "subject" in body:
        storage.add_referrer(repository, Digest.parse(body["subject"]["digest"]), digest)
    if tag is not None:
        storage.put_tag(repository, tag, digest)
    return Descriptor(media_type, digest, len(content))


class Layer(NamedTuple):
    """A layer that is stored, and the digest of what it is without its compression."""

    blob: Descriptor
    diff_id: str


def store_layer(
    storage: Storage, repository: str, seed: str, size: int = 1000, *, docker: bool = False
) -> Layer:
    """Store a gzipped tar archive with one file of *size* bytes that do not compress."""
    pieces = LayerPieces(seed, size)
    content = b"".join(pieces)
    media_type = _DOCKER_LAYER if docker else _OCI_LAYER
    return Layer(store_blob(storage, repository, content, media_type), pieces.diff_id)


def store_image(
    storage: Storage,
    repository: str,
    tag: str | None = None,
    *,
    seed: str = "image",
    layers: int = 2,
    size: int = 1000,
    platform: Platform = AMD64,
    docker: bool = False,
) -> Descriptor:
    """Store an image; layers of the same *seed* and *size* are the same."""
    stored = [
        store_layer(storage, repository, f"{seed}-{number}", size, docker=docker)
        for number in range(layers)
    ]
    return store_image_of(storage, repository, tag, stored, platform=platform, docker=docker)


def store_image_of(
    storage: Storage,
    repository: str,
    tag: str | None,
    layers: Sequence[Layer],
    *,
    platform: Platform = AMD64,
    label: str = "",
    docker: bool = False,
) -> Descriptor:
    """Store an image over *layers* that are there; *label* tells it from its sisters."""
    config = {
        **_platform_json(platform),
        "created": "2026-01-01T00:00:00Z",
        "config": {"Labels": {"label": label}},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        # Quay takes no image of Docker's without one.
        "history": [{"created_by": "tests"} for _ in layers],
    }
    config_type = _DOCKER_CONFIG if docker else _OCI_CONFIG
    stored = store_blob(storage, repository, json.dumps(config).encode(), config_type)
    media_type = media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST
    body = manifest_json(stored, [layer.blob for layer in layers], media_type)
    image = store_manifest(storage, repository, body, media_type, tag=tag)
    return Descriptor(image.media_type, image.digest, image.size, platform=platform)


def store_index(
    storage: Storage,
    repository: str,
    tag: str | None = None,
    *,
    seed: str = "index",
    platforms: Sequence[Platform] = (AMD64, ARM64),
    docker: bool = False,
) -> Descriptor:
    """Store an index with an image for each of *platforms*; all share their first layer."""

    def store_child(platform: Platform) -> Descriptor:
        layers = [
            store_layer(storage, repository, f"{seed}-{name}", docker=docker)
            for name in ("base", platform)
        ]
        return store_image_of(storage, repository, None, layers, platform=platform, docker=docker)

    children = list(map(store_child, platforms))
    return store_index_of(storage, repository, tag, children, docker=docker)


def store_index_of(
    storage: Storage,
    repository: str,
    tag: str | None,
    children: Sequence[Descriptor],
    *,
    docker: bool = False,
) -> Descriptor:
    """Store an index of *children*, of which any may be an index itself."""
    media_type = media_types.DOCKER_LIST if docker else media_types.OCI_INDEX
    body = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [descriptor_json(child) for child in children],
    }
    return store_manifest(storage, repository, body, media_type, tag=tag)


def store_artifact(
    storage: Storage,
    repository: str,
    tag: str | None = None,
    *,
    seed: str = "artifact",
    artifact_type: str = SIGNATURE,
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Descriptor:
    """Store an artifact with the empty config; with a *subject* it is a referrer of that."""
    payload = store_blob(storage, repository, random_bytes(seed, 100), artifact_type)
    config = store_blob(storage, repository, EMPTY_CONTENT, media_types.EMPTY)
    body = manifest_json(config, [payload]) | {"artifactType": artifact_type}
    if subject is not None:
        body["subject"] = descriptor_json(subject)
    if annotations:
        body["annotations"] = dict(annotations)
    return store_manifest(storage, repository, body, tag=tag)


def store_cosign_signature(
    storage: Storage, repository: str, subject: Descriptor, *, suffix: str = "sig"
) -> Descriptor:
    """Store what cosign does: an image under a tag made of its subject's digest."""
    claim = store_blob(
        storage,
        repository,
        random_bytes(f"{subject.digest}-{suffix}", 100),
        "application/vnd.dev.cosign.simplesigning.v1+json",
    )
    tag = f"{subject.digest.algorithm}-{subject.digest.hex}.{suffix}"
    return store_image_of(storage, repository, tag, [Layer(claim, str(claim.digest))])


def manifest_json(
    config: Descriptor, layers: Sequence[Descriptor], media_type: str = media_types.OCI_MANIFEST
) -> dict[str, Any]:
    """The body of an image manifest."""
    return {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor_json(config),
        "layers": [descriptor_json(layer) for layer in layers],
    }


def descriptor_json(descriptor: Descriptor) -> dict[str, Any]:
    """A descriptor as it stands in a manifest."""
    value: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if descriptor.platform is not None:
        value["platform"] = _platform_json(descriptor.platform)
    if descriptor.urls:
        value["urls"] = list(descriptor.urls)
    return value


def _platform_json(platform: Platform) -> dict[str, str]:
    value = {"os": platform.os, "architecture": platform.architecture}
    return value | ({"variant": platform.variant} if platform.variant else {})
