"""Content for tests: the smallest of each kind that is true, pushed into a repository.

What is pushed depends on the arguments alone: the same call gives the same digests in every
repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from tests.support.content import LayerPieces
from tests.support.media_types import EMPTY, OCI, Flavour
from tests.support.plain_repository import PlainRepository, Pushed

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x")
_IN_MEMORY = 8 << 20  # bytes; layers larger than this are never whole in memory
_PUSHERS = 4


class Layer(NamedTuple):
    """A layer that was pushed, and the digest of what it is without its compression."""

    blob: Pushed
    diff_id: str


def push_image(
    repository: PlainRepository,
    tag: str | None = None,
    *,
    seed: str = "image",
    layers: int = 2,
    size: int = 1000,
    platform: str = "linux/amd64",
    flavour: Flavour = OCI,
) -> Pushed:
    """Push an image whose layers hold *size* bytes each and are nobody else's."""
    pushed = [
        push_layer(repository, f"{seed}-{number}", size, flavour=flavour)
        for number in range(layers)
    ]
    return push_image_of(repository, tag, layers=pushed, platform=platform, flavour=flavour)


def push_image_of(
    repository: PlainRepository,
    tag: str | None = None,
    *,
    layers: Sequence[Layer],
    label: str = "",
    platform: str = "linux/amd64",
    flavour: Flavour = OCI,
) -> Pushed:
    """Push an image over *layers* that are there; the *label* tells it from its sisters."""
    diff_ids = [layer.diff_id for layer in layers]
    config = repository.put_blob(_config(platform, diff_ids, label), flavour.config)
    return repository.put_manifest(_image(config, [layer.blob for layer in layers], flavour), tag)


def push_layer(
    repository: PlainRepository, seed: str, size: int = 1000, *, flavour: Flavour = OCI
) -> Layer:
    """Push a layer; a large one goes out in pieces as it is made."""
    pieces = LayerPieces(seed, size)
    if size > _IN_MEMORY:
        blob = repository.stream_blob(pieces, flavour.layer)
    else:
        blob = repository.put_blob(b"".join(pieces), flavour.layer)
    return Layer(blob, pieces.diff_id)


def push_index(
    repository: PlainRepository,
    tag: str | None = None,
    *,
    seed: str = "index",
    platforms: Sequence[str] = PLATFORMS,
    flavour: Flavour = OCI,
) -> Pushed:
    """Push an index of images that share their first layer."""
    base = push_layer(repository, f"{seed}-base", flavour=flavour)

    def push_child(platform: str) -> dict[str, Any]:
        own = push_layer(repository, f"{seed}-{platform}", flavour=flavour)
        image = push_image_of(repository, layers=[base, own], platform=platform, flavour=flavour)
        return image.json() | {"platform": _platform(platform)}

    return repository.put_manifest(_index(map(push_child, platforms), flavour), tag)


def push_nested_index(
    repository: PlainRepository, tag: str | None = None, *, seed: str = "nested"
) -> Pushed:
    """Push an index that holds an index beside an image."""
    inner = push_index(repository, seed=f"{seed}-inner", platforms=PLATFORMS[:2])
    image = push_image(repository, seed=f"{seed}-image")
    return repository.put_manifest(_index([inner.json(), image.json()]), tag)


def push_artifact(
    repository: PlainRepository,
    tag: str | None = None,
    *,
    seed: str = "artifact",
    kind: str = "application/vnd.example.report",
    subject: Pushed | None = None,
) -> Pushed:
    """Push an artifact with the empty config; with a *subject* it is a referrer of that."""
    payload = repository.put_blob(f'{{"report":"{seed}"}}'.encode(), f"{kind}+json")
    manifest = _image(repository.put_blob(b"{}", EMPTY), [payload])
    manifest["artifactType"] = kind
    if subject is not None:
        manifest["subject"] = subject.json()
    return repository.put_manifest(manifest, tag)


def push_chart(
    repository: PlainRepository, tag: str | None = None, *, seed: str = "chart"
) -> Pushed:
    """Push what `helm push` makes of a chart: a config that is no image's."""
    about = json.dumps({"apiVersion": "v2", "name": seed, "version": "1.0.0"}).encode()
    config = repository.put_blob(about, "application/vnd.cncf.helm.config.v1+json")
    archive = b"".join(LayerPieces(seed, 1000))
    chart = repository.put_blob(archive, "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    return repository.put_manifest(_image(config, [chart]), tag)


def push_signature(repository: PlainRepository, subject: Pushed, *, suffix: str = "sig") -> Pushed:
    """Push what cosign does: an image under a tag made of its subject's digest."""
    claim = json.dumps({"critical": {"image": {"docker-manifest-digest": subject.digest}}})
    layer = repository.put_blob(claim.encode(), "application/vnd.dev.cosign.simplesigning.v1+json")
    config = repository.put_blob(_config(PLATFORMS[0], [layer.digest], suffix), OCI.config)
    tag = f"{subject.digest.replace(':', '-')}.{suffix}"
    return repository.put_manifest(_image(config, [layer]), tag)


def push_image_with_empty_layer(repository: PlainRepository, tag: str | None = None) -> Pushed:
    """Push an image of one layer of no bytes at all."""
    layer = repository.put_blob(b"", "application/vnd.oci.image.layer.v1.tar")
    config = repository.put_blob(_config(PLATFORMS[0], [layer.digest]), OCI.config)
    return repository.put_manifest(_image(config, [layer]), tag)


def push_large_image(
    repository: PlainRepository,
    tag: str | None = None,
    *,
    seed: str = "large",
    size: int = 200 << 20,
) -> Pushed:
    """Push an image with one layer of *size* bytes, which is made and sent in pieces."""
    return push_image(repository, tag, seed=seed, layers=1, size=size)


def push_many_tags(
    repository: PlainRepository, tags: Sequence[str], *, seed: str = "many"
) -> dict[str, Pushed]:
    """Push an image of its own for each of *tags*; the images share their layers."""
    layer = push_layer(repository, seed)

    def push(some: Sequence[str]) -> list[Pushed]:
        with PlainRepository(repository.address, repository.path) as mine:
            return [push_image_of(mine, tag, layers=[layer], label=tag) for tag in some]

    shares = [tags[first::_PUSHERS] for first in range(_PUSHERS)]
    with ThreadPoolExecutor(_PUSHERS) as pool:
        done = pool.map(push, shares)
        return {
            tag: pushed
            for share, images in zip(shares, done, strict=True)
            for tag, pushed in zip(share, images, strict=True)
        }


def _config(platform: str, diff_ids: Sequence[str], label: str = "") -> bytes:
    about = _platform(platform) | {
        "created": "2026-01-01T00:00:00Z",
        "config": {"Labels": {"label": label}},
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        # Quay takes no image of Docker's without one.
        "history": [{"created_by": "tests"} for _ in diff_ids],
    }
    return json.dumps(about).encode()


def _image(config: Pushed, layers: Sequence[Pushed], flavour: Flavour = OCI) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": flavour.image,
        "config": config.json(),
        "layers": [layer.json() for layer in layers],
    }


def _index(children: Iterable[dict[str, Any]], flavour: Flavour = OCI) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": flavour.index, "manifests": list(children)}


def _platform(text: str) -> dict[str, Any]:
    names = ("os", "architecture", "variant")
    return dict(zip(names, text.split("/"), strict=False))
