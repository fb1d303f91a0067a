"""An image that no index lists is copied when its config names a platform that is wanted."""

from __future__ import annotations

import json

import pytest

from replicator.errors import TransferFailed
from replicator.oci import media_types
from replicator.oci.platform import Platform
from replicator.transfer import image_platform
from replicator.transfer.small_blobs import SMALL
from tests.transfer.images import CONFIG, add_blob, add_image, add_referrer

DOCKER = "application/vnd.docker.container.image.v1+json"
HELM = "application/vnd.cncf.helm.config.v1+json"


def add_image_for(source, tag="v1", *, media_type=CONFIG, **said):
    """An image whose config says what is *said*."""
    return add_image(
        source, tag, config=add_blob(source, json.dumps(said).encode(), media_type=media_type)
    )


def wanting(*names):
    return {"platforms": tuple(map(Platform.parse, names))}


@pytest.mark.parametrize("media_type", [CONFIG, DOCKER])
async def test_an_image_of_another_platform_is_refused_by_name(world, media_type):
    add_image_for(world.source, media_type=media_type, os="linux", architecture="amd64")

    with pytest.raises(
        TransferFailed, match=r"^no image for linux/arm64; there is: linux/amd64$"
    ) as failure:
        await world.copy(**wanting("linux/arm64"))

    assert failure.value.side == "source"
    assert world.registry.calls == []


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"os": "linux", "architecture": "amd64"}, ["linux/amd64"]),
        ({"os": "linux", "architecture": "amd64"}, ["linux/arm64", "linux/amd64"]),
        ({"os": "linux", "architecture": "arm64"}, ["linux/arm64/v8"]),
        ({"os": "linux", "architecture": "arm", "variant": "v7"}, ["linux/arm"]),
    ],
)
async def test_an_image_of_a_wanted_platform_keeps_its_bytes(world, said, wanted):
    image = add_image_for(world.source, **said)

    result = await world.copy(**wanting(*wanted))

    assert result.digest == result.source_digest == image.digest
    assert world.destination.manifests[image.digest].content == image.content


async def test_another_variant_is_another_platform(world):
    add_image_for(world.source, os="linux", architecture="arm", variant="v6")

    with pytest.raises(TransferFailed, match="no image for linux/arm/v7; there is: linux/arm/v6"):
        await world.copy(**wanting("linux/arm/v7"))


async def test_the_config_that_was_read_for_its_platform_is_not_read_again_to_be_copied(world):
    image = add_image_for(world.source, os="linux", architecture="amd64")

    await world.copy(**wanting("linux/amd64"))

    read = world.source_registry.called("read_blob")
    assert sorted(read) == sorted(str(blob.digest) for blob in image.blobs)


async def test_without_platforms_the_config_of_an_image_in_step_is_not_read(world):
    add_image_for(world.source, os="linux", architecture="amd64")
    await world.copy()
    world.source_registry.calls.clear()
    world.transfer = world.new_transfer()

    await world.copy()

    assert world.source_registry.called("read_blob") == []


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"os": "", "architecture": ""}',
        b'{"os": "linux"}',
        b'{"os": "linux", "architecture": ""}',
        b'{"os": 1, "architecture": []}',
        b"[]",
        b"not JSON",
    ],
)
async def test_an_image_that_says_nothing_of_a_platform_is_copied(world, content):
    image = add_image(world.source, "v1", config=add_blob(world.source, content, CONFIG))

    result = await world.copy(**wanting("linux/arm64"))

    assert result.digest == image.digest


@pytest.mark.parametrize("media_type", [HELM, media_types.EMPTY, "text/plain"])
async def test_what_is_no_image_is_copied_whatever_its_config_says(world, media_type):
    artifact = add_image_for(world.source, media_type=media_type, os="linux", architecture="amd64")

    result = await world.copy(**wanting("linux/arm64"))

    assert result.digest == artifact.digest


async def test_the_artifacts_that_refer_to_a_wanted_image_come_along(world):
    image = add_image_for(world.source, os="linux", architecture="amd64")
    sbom = add_referrer(world.source, image)

    await world.copy(**wanting("linux/amd64"))

    assert sbom.digest in world.destination.manifests


async def test_a_config_that_is_too_large_for_a_small_blob_is_understood_as_well(world):
    add_image_for(world.source, os="linux", architecture="amd64", history="x" * SMALL)

    with pytest.raises(TransferFailed, match="there is: linux/amd64"):
        await world.copy(**wanting("linux/arm64"))


async def test_a_config_without_end_is_not_read(world, monkeypatch):
    monkeypatch.setattr(image_platform, "LARGEST_CONFIG", 100)
    add_image_for(world.source, os="linux", architecture="amd64", history="x" * 100)

    (result,) = await world.transfer.copy(world.order(**wanting("linux/amd64")))

    assert (str(result.error), result.side) == ("its config has over 100 bytes", "source")
    assert world.source_registry.called("read_blob") == []


async def test_a_config_that_the_source_lacks_is_a_failure_of_the_source(world):
    image = add_image_for(world.source, os="linux", architecture="amd64")
    del world.source.blobs[image.config.digest]

    (result,) = await world.transfer.copy(world.order(**wanting("linux/amd64")))

    assert (result.error.kind, result.side) == ("not_found", "source")
