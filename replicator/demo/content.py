"""Content for a registry: images as they are, made without Docker and without a network."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from replicator.embedded.storage import Storage, StoredManifest
from replicator.oci import media_types
from replicator.oci.descriptor import EMPTY_CONTENT, Descriptor
from replicator.oci.digest import Digest
from replicator.oci.platform import Platform

_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_HELM_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
_HELM_CHART: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_COSIGN: Final = "application/vnd.dev.cosign.simplesigning.v1+json"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: its bytes, and the digest of what they are without compression."""

    content: bytes
    diff_id: str


def make_layer(name: str, size: int) -> Layer:
    """Make a layer with one file of *size* bytes that do not compress; the same for one name."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(f"opt/{name}.bin")
        entry.size = size
        tar.addfile(entry, io.BytesIO(random.Random(name).randbytes(size)))  # noqa: S311
    raw = archive.getvalue()
    diff_id = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    # Stored as it is: nobody watches a demo to see it compress.
    return Layer(gzip.compress(raw, compresslevel=0, mtime=0), diff_id)


class Shelf:
    """Puts content into one repository of a registry."""

    def __init__(self, storage: Storage, repository: str) -> None:
        self._storage = storage
        self._repository = repository

    def put_image(
        self, layers: Sequence[Layer], platform: Platform, *, tag: str | None = None
    ) -> Descriptor:
        """Store an image and return its descriptor with its platform."""
        config = {
            **_platform_json(platform),
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
        body = _manifest(
            self._put_json(config, _CONFIG),
            [self._put_blob(layer.content, _LAYER) for layer in layers],
        )
        image = self._put_manifest(body, tag=tag)
        return Descriptor(image.media_type, image.digest, image.size, platform=platform)

    def put_index(self, images: Sequence[Descriptor], *, tag: str) -> Descriptor:
        """Store an index of images for several platforms."""
        body = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [_descriptor_json(image) for image in images],
        }
        return self._put_manifest(body, media_types.OCI_INDEX, tag=tag)

    def put_chart(self, name: str, version: str, *, tag: str) -> Descriptor:
        """Store what ``helm push`` makes of a chart: an artifact that is no image."""
        about = {"apiVersion": "v2", "name": name, "version": version}
        archive = self._put_blob(make_layer(f"{name}-{version}", 20_000).content, _HELM_CHART)
        return self._put_manifest(
            _manifest(self._put_json(about, _HELM_CONFIG), [archive]), tag=tag
        )

    def put_referrer(self, subject: Descriptor, kind: str) -> Descriptor:
        """Store an artifact that refers to *subject*, such as a signature or an SBOM."""
        payload = self._put_json({"about": str(subject.digest)}, kind)
        body = _manifest(self._put_blob(EMPTY_CONTENT, media_types.EMPTY), [payload])
        body |= {"artifactType": kind, "subject": _descriptor_json(subject)}
        referrer = self._put_manifest(body)
        self._storage.add_referrer(self._repository, subject.digest, referrer.digest)
        return referrer

    def put_cosign_signature(self, subject: Descriptor) -> Descriptor:
        """Store a signature as cosign does: under a tag made of its subject's digest."""
        claim = {"critical": {"image": {"docker-manifest-digest": str(subject.digest)}}}
        config = self._put_json({"architecture": "", "os": ""}, _CONFIG)
        tag = f"{subject.digest.algorithm}-{subject.digest.hex}.sig"
        return self._put_manifest(_manifest(config, [self._put_json(claim, _COSIGN)]), tag=tag)

    def _put_blob(self, content: bytes, media_type: str) -> Descriptor:
        blob = Descriptor(media_type, Digest.of(content), len(content))
        if self._storage.blob_size(self._repository, blob.digest) is None:
            staged = self._storage.stage_blob()
            staged.append(content)
            staged.commit(self._repository, blob.digest)
        return blob

    def _put_json(self, value: Mapping[str, Any], media_type: str) -> Descriptor:
        return self._put_blob(json.dumps(value).encode(), media_type)

    def _put_manifest(
        self,
        body: Mapping[str, Any],
        media_type: str = media_types.OCI_MANIFEST,
        *,
        tag: str | None = None,
    ) -> Descriptor:
        content = json.dumps(body).encode()
        digest = Digest.of(content)
        self._storage.put_manifest(self._repository, digest, StoredManifest(media_type, content))
        if tag is not None:
            self._storage.put_tag(self._repository, tag, digest)
        return Descriptor(media_type, digest, len(content))


def _manifest(config: Descriptor, layers: Sequence[Descriptor]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": _descriptor_json(config),
        "layers": [_descriptor_json(layer) for layer in layers],
    }


def _descriptor_json(descriptor: Descriptor) -> dict[str, Any]:
    platform = descriptor.platform
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
        **({} if platform is None else {"platform": _platform_json(platform)}),
    }


def _platform_json(platform: Platform) -> dict[str, str]:
    value = {"os": platform.os, "architecture": platform.architecture}
    return value | ({"variant": platform.variant} if platform.variant else {})
