"""Content for fake repositories: the smallest of each kind that is true."""

from __future__ import annotations

import json
import random
from typing import Any

from replicator.oci import media_types
from replicator.oci.descriptor import EMPTY_DESCRIPTOR, Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from tests.transfer.fakes import FakeRepository

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"


def add_blob(repository: FakeRepository, content: bytes, media_type: str = LAYER) -> Descriptor:
    blob = Descriptor(media_type, Digest.of(content), len(content))
    repository.blobs[blob.digest] = content
    return blob


def add_layer(repository: FakeRepository, seed: str, size: int = 1000) -> Descriptor:
    return add_blob(repository, random.Random(seed).randbytes(size))


def add_manifest(
    repository: FakeRepository, body: dict[str, Any], tag: str | None = None
) -> Manifest:
    content = json.dumps(body).encode()
    manifest = Manifest.parse(content, body["mediaType"])
    repository.manifests[manifest.digest] = manifest
    if tag is not None:
        repository.tags[Tag(tag)] = manifest.digest
    return manifest


def add_image(
    repository: FakeRepository,
    tag: str | None = None,
    *,
    seed: str = "image",
    layers: list[Descriptor] | None = None,
    subject: Manifest | None = None,
    config: Descriptor | None = None,
) -> Manifest:
    """Add an image; without *layers* it has two small ones of its own."""
    if layers is None:
        layers = [add_layer(repository, f"{seed}-{number}") for number in range(2)]
    if config is None:
        config = add_blob(repository, json.dumps({"seed": seed}).encode(), CONFIG)
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": entry(config),
        "layers": [entry(layer) for layer in layers],
    }
    if subject is not None:
        body["subject"] = entry(subject.descriptor)
    return add_manifest(repository, body, tag)


def add_referrer(repository: FakeRepository, subject: Manifest, seed: str = "sbom") -> Manifest:
    """Add an artifact with the empty config that refers to *subject*."""
    repository.blobs[EMPTY_DESCRIPTOR.digest] = b"{}"
    layers = [add_layer(repository, seed)]
    return add_image(repository, seed=seed, layers=layers, subject=subject, config=EMPTY_DESCRIPTOR)


def add_signature(repository: FakeRepository, subject: Manifest, suffix: str = "sig") -> Manifest:
    """Add what cosign does: an image under a tag made of its subject's digest."""
    digest = subject.digest
    tag = f"{digest.algorithm}-{digest.hex}.{suffix}"
    return add_image(repository, tag, seed=f"{suffix} of {digest}")


def add_index(
    repository: FakeRepository,
    children: list[Manifest],
    tag: str | None = None,
    *,
    platforms: list[str] | None = None,
    **more: Any,
) -> Manifest:
    entries = [entry(child.descriptor) for child in children]
    for each, platform in zip(entries, platforms or [], strict=False):
        if platform:
            each["platform"] = dict(
                zip(("os", "architecture", "variant"), platform.split("/"), strict=False)
            )
    body = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries, **more}
    return add_manifest(repository, body, tag)


def entry(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
