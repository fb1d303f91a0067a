"""The stage: two registries on this machine, one of them full, and rules between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final, Self

from replicator.demo.content import Layer, Shelf, make_layer
from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.storage import Storage
from replicator.embedded.thread import in_thread
from replicator.oci.descriptor import Descriptor
from replicator.oci.platform import Platform
from replicator.planning.rule import Rule, TagSelection

_PLATFORMS: Final = (
    Platform("linux", "amd64"),
    Platform("linux", "arm64"),
    Platform("linux", "arm", "v7"),
)
# In bytes: a layer that all images of a platform share, and one that each has for itself.
_BASE: Final = 6 << 20
_OWN: Final = 2 << 20
_SIGNATURE: Final = "application/vnd.example.signature+json"
_SBOM: Final = "application/vnd.cyclonedx+json"

# Requests by what they are about, as method and pattern of a registry's own log.
KINDS: Final = {
    "LISTINGS": ("GET", r"/tags/list|/_catalog|/referrers/"),
    "MANIFEST HEAD": ("HEAD", "/manifests/"),
    "GET": ("GET", "/manifests/"),
    "PUT": ("PUT", "/manifests/"),
    "BLOB GET": ("GET", "/blobs/sha256:"),
    "POST": ("POST", "/blobs/uploads/"),
    " PUT": ("PUT", "/blobs/uploads/"),
}

# The tag that moves, and where the rules let it go.
MOVING: Final = "latest"


@dataclass(frozen=True, slots=True)
class Stage:
    """The registries while they run."""

    source: EmbeddedRegistry
    destination: EmbeddedRegistry

    @property
    def rules(self) -> tuple[Rule, ...]:
        """One rule for all images of a team, and one for a chart."""
        return (
            Rule(
                "shop",
                f"{self.source.host}/shop/*",
                (f"{self.destination.host}/mirror/{{repository}}",),
                tags=TagSelection(exclude=("*-rc*",)),
            ),
            Rule(
                "charts",
                f"{self.source.host}/charts/shop",
                (f"{self.destination.host}/mirror/{{repository}}",),
            ),
        )

    def move_tag(self) -> str:
        """Build a new version of an image, let its tag move there, and return its reference."""
        _put_version(Shelf(self.source.storage, "shop/web"), "web-1.2", tag=MOVING)
        return f"{self.source.host}/shop/web:{MOVING}"

    @property
    def content(self) -> Content:
        """What the source holds."""
        return Content.of(self.source.storage)


@dataclass(frozen=True, slots=True)
class Content:
    """How much there is in a registry."""

    repositories: int
    tags: int

    @classmethod
    def of(cls, storage: Storage) -> Self:
        names = storage.repositories()
        return cls(len(names), sum(len(storage.tags(name)) for name in names))


@contextmanager
def staged() -> Iterator[Stage]:
    """Run the registries while the block runs; the source is full, the destination empty."""
    source, destination = EmbeddedRegistry(), EmbeddedRegistry()
    _fill(source.storage)
    with in_thread(source), in_thread(destination):
        yield Stage(source, destination)


def _fill(storage: Storage) -> None:
    """Store images that share layers, with what refers to them, and a chart."""
    web, api = Shelf(storage, "shop/web"), Shelf(storage, "shop/api")
    _put_version(web, "web-1.0", tag="1.0")
    current = _put_version(web, "web-1.1", tag="1.1")
    storage.put_tag("shop/web", MOVING, current.digest)
    _put_version(web, "web-1.2-rc1", tag="1.2-rc1")
    web.put_referrer(current, _SIGNATURE)
    web.put_referrer(current, _SBOM)
    web.put_cosign_signature(current)
    _put_version(api, "api-2.0", tag="2.0")
    Shelf(storage, "charts/shop").put_chart("shop", "0.3.0", tag="0.3.0")


def _put_version(shelf: Shelf, name: str, *, tag: str) -> Descriptor:
    """Store an index of images, each of a base that all versions share and a layer of its own."""
    images = [
        shelf.put_image([_base(platform), make_layer(f"{name}-{platform}", _OWN)], platform)
        for platform in _PLATFORMS
    ]
    return shelf.put_index(images, tag=tag)


@cache
def _base(platform: Platform) -> Layer:
    return make_layer(f"base-{platform}", _BASE)
