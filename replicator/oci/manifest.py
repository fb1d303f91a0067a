"""Manifest: the exact bytes of a manifest or index, and what they refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Final, Self

from replicator.errors import InvalidManifest, UnsupportedSchema1
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor, annotations_from_json
from replicator.oci.digest import Digest
from replicator.oci.strict_json import parse_json
from replicator.values import dataclass

# In bytes; distribution-spec, "Pushing Manifests": registries are expected to take this much.
MAX_MANIFEST_SIZE: Final = 4 * 1024 * 1024
# In bytes; the most that configuration may raise it to.
LARGEST_MANIFEST_SIZE: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index as it was received; its bytes are never written anew.

    ``descriptor`` names the bytes. ``manifests`` are the children of an index, in its order;
    ``blobs`` are config, layers and, in the withdrawn artifact manifest, blobs. A body of an
    unknown media type is kept as it is, with what it visibly refers to.
    """

    descriptor: Descriptor
    content: bytes = field(repr=False)
    manifests: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def parse(
        cls,
        content: bytes,
        content_type: str,
        *,
        algorithm: str = "sha256",
        limit: int = MAX_MANIFEST_SIZE,
    ) -> Self:
        """Read a manifest from *content*, at most *limit* bytes of it.

        *content_type* is the answer's header, parameters and all; *algorithm* is that of the
        digest that the manifest was asked by. Raises UnsupportedSchema1 for Docker schema 1,
        and InvalidManifest for what is not one manifest: no JSON object, a ``mediaType`` that
        contradicts the header, or both the fields of an index and of a manifest. (image-spec,
        manifest.md and image-index.md; distribution-spec, "Media Type Conflicts")
        """
        if len(content) > limit:
            raise InvalidManifest(f"manifest of {len(content)} bytes; the limit is {limit}")
        body = _parse_object(content)
        media_type = _media_type(body, media_types.without_parameters(content_type))
        descriptor = Descriptor(media_type, Digest.of(content, algorithm), len(content))
        return cls(
            descriptor,
            content,
            manifests=_descriptors(body, "manifests"),
            config=_descriptor(body, "config"),
            layers=(*_descriptors(body, "layers"), *_descriptors(body, "blobs")),
            subject=_descriptor(body, "subject"),
            artifact_type=_artifact_type(body),
            annotations=annotations_from_json(body.get("annotations")),
        )

    @property
    def media_type(self) -> str:
        return self.descriptor.media_type

    @property
    def digest(self) -> Digest:
        return self.descriptor.digest

    @property
    def is_index(self) -> bool:
        return self.media_type in media_types.INDEXES or bool(self.manifests)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, each digest once, in the order they stand in."""
        everything: Iterable[Descriptor] = (
            self.layers if self.config is None else (self.config, *self.layers)
        )
        return tuple({blob.digest: blob for blob in everything}.values())

    def as_referrer(self) -> Descriptor:
        """The entry that a list of referrers has for this manifest. (distribution-spec, "Listing
        Referrers")"""
        artifact_type = self.artifact_type or (self.config.media_type if self.config else "")
        return Descriptor(
            self.media_type,
            self.digest,
            self.descriptor.size,
            artifact_type=artifact_type,
            annotations=self.annotations,
        )


def _parse_object(content: bytes) -> dict[str, Any]:
    try:
        body = parse_json(content)
    except ValueError as error:
        raise InvalidManifest(f"not a manifest: {error}") from None
    if not isinstance(body, dict):
        raise InvalidManifest("not a manifest: no JSON object")
    return body


def _media_type(body: dict[str, Any], header: str) -> str:
    """Decide what *body* is, by the header, its own ``mediaType`` and, last, its shape."""
    own = body.get("mediaType", "")
    if not isinstance(own, str):
        raise InvalidManifest("mediaType is not text")
    if body.get("schemaVersion") == 1 or "fsLayers" in body or header in media_types.SCHEMA1_TYPES:
        raise UnsupportedSchema1("Docker schema 1 manifests are not supported; rebuild the image")
    if "manifests" in body and ("layers" in body or "config" in body):
        raise InvalidManifest("has the fields of both an index and a manifest")
    generic = header in ("", "application/json", "text/plain", media_types.OCTET_STREAM)
    if own and not generic and own.lower() != header:
        raise InvalidManifest(f"calls itself {own} but was served as {header}")
    media_type = own or ("" if generic else header) or _type_by_shape(body)
    if media_type in media_types.INDEXES and "layers" in body:
        raise InvalidManifest("is served as an index but has layers")
    if (
        media_type in (media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST)
        and "manifests" in body
    ):
        raise InvalidManifest("is served as a manifest but lists manifests")
    return media_type


def _type_by_shape(body: dict[str, Any]) -> str:
    if "manifests" in body:
        return media_types.OCI_INDEX
    if "config" in body and "layers" in body:
        return media_types.OCI_MANIFEST
    raise InvalidManifest("says neither by header nor by shape what it is")


def _descriptors(body: dict[str, Any], key: str) -> tuple[Descriptor, ...]:
    value = body.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidManifest(f"{key} is not a list")
    return tuple(map(Descriptor.from_json, value))


def _descriptor(body: dict[str, Any], key: str) -> Descriptor | None:
    value = body.get(key)
    return None if value is None else Descriptor.from_json(value)


def _artifact_type(body: dict[str, Any]) -> str:
    value = body.get("artifactType")
    return value if isinstance(value, str) else ""
