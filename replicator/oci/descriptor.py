"""Descriptor: media type, digest and size of some content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, Self

from replicator.errors import InvalidManifest
from replicator.oci.digest import Digest
from replicator.oci.media_types import EMPTY
from replicator.oci.platform import Platform
from replicator.values import dataclass


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Names content and says how long it is; ``size`` is in bytes.

    Two descriptors are equal when they name the same bytes under the same type; what else a
    manifest says about them does not count. (image-spec, descriptor.md)
    """

    media_type: str
    digest: Digest
    size: int
    artifact_type: str = field(default="", compare=False)
    platform: Platform | None = field(default=None, compare=False)
    annotations: Mapping[str, str] = field(default_factory=dict, compare=False)
    urls: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read a descriptor as it stands in a manifest.

        Raises InvalidManifest when a required field is missing or wrong, InvalidDigest when
        the digest is not one we can verify.
        """
        match value:
            case {"mediaType": str(media_type), "digest": str(digest), "size": int(size)}:
                pass
            case _:
                raise InvalidManifest("a descriptor lacks mediaType, digest or size")
        if isinstance(size, bool) or size < 0:
            raise InvalidManifest(f"a descriptor has the size {size}")
        return cls(
            media_type,
            Digest.parse(digest),
            size,
            artifact_type=_text(value.get("artifactType")),
            platform=Platform.from_json(value.get("platform")),
            annotations=annotations_from_json(value.get("annotations")),
            urls=_urls(value.get("urls")),
        )


# The content ``{}``, which most artifacts have as their config. (image-spec, manifest.md)
EMPTY_CONTENT: Final = b"{}"
EMPTY_DESCRIPTOR: Final = Descriptor(EMPTY, Digest.of(EMPTY_CONTENT), len(EMPTY_CONTENT))


def annotations_from_json(value: Any) -> dict[str, str]:
    """Read annotations; what is not text is left out, as nothing we do depends on it."""
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _urls(value: Any) -> tuple[str, ...]:
    return tuple(url for url in value if isinstance(url, str)) if isinstance(value, list) else ()
