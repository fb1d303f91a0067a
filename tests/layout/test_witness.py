"""Skopeo reads the layouts that we write, and we read those that skopeo writes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from replicator.layout.layout import open_layout
from replicator.oci.reference import Tag
from replicator.registry.client import Registry
from replicator.transfer.copy import Transfer
from replicator.transfer.inventory import MemoryInventory
from replicator.transfer.order import Destination, Order
from tests.registry.clients import open_client
from tests.support import tools
from tests.support.builders import PLATFORMS, push_image, push_index, push_nested_index
from tests.support.contents import contents
from tests.support.plain_repository import PlainRepository

__all__ = ["open_client"]


def skopeo(*arguments: str | Path) -> bytes:
    command = [tools.installed("skopeo"), "--insecure-policy", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture
def registry(distribution2, open_client) -> Registry:
    return open_client(distribution2.host).registry


async def copy(source, destination, tag: str, to: str | None = None) -> None:
    order = Order(source, Tag(tag), (Destination(destination, Tag(to or tag)),))
    (result,) = await Transfer(inventory=MemoryInventory()).copy(order)
    assert result.error is None


async def test_skopeo_reads_an_image_that_we_wrote(
    distribution2, registry, repository_path, tmp_path
):
    with PlainRepository(distribution2.address, repository_path) as repository:
        image = push_image(repository, "v1", layers=3)

    await copy(registry.repository(repository_path), open_layout(tmp_path / "layout"), "v1")

    raw = skopeo("inspect", "--raw", f"oci:{tmp_path}/layout:v1")
    assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == image.digest
    skopeo("copy", "--preserve-digests", f"oci:{tmp_path}/layout:v1", f"dir:{tmp_path}/out")
    assert len(list((tmp_path / "out").iterdir())) == 3 + 3  # layers; config, manifest, version


async def test_skopeo_reads_every_image_of_an_index_that_we_wrote(
    distribution2, registry, repository_path, tmp_path
):
    with PlainRepository(distribution2.address, repository_path) as repository:
        push_index(repository, "v1")

    await copy(registry.repository(repository_path), open_layout(tmp_path / "layout"), "v1")

    for platform in PLATFORMS:
        os, architecture, *variant = platform.split("/")
        chosen = [f"--override-os={os}", f"--override-arch={architecture}"]
        chosen += [f"--override-variant={each}" for each in variant]
        about = json.loads(skopeo(*chosen, "inspect", f"oci:{tmp_path}/layout:v1"))
        assert (about["Os"], about["Architecture"]) == (os, architecture)
    skopeo("copy", "--all", f"oci:{tmp_path}/layout:v1", f"dir:{tmp_path}/out")


async def test_we_read_what_skopeo_wrote(distribution2, registry, repository_path, tmp_path):
    host, path = distribution2.host, repository_path
    with PlainRepository(distribution2.address, f"{path}/from") as repository:
        push_index(repository, "v1")
        original = contents(repository, "v1")
    layout = tmp_path / "layout"
    skopeo(
        "copy",
        "--all",
        "--src-tls-verify=false",
        f"docker://{host}/{path}/from:v1",
        f"oci:{layout}:named",
    )

    await copy(open_layout(layout), registry.repository(f"{path}/to"), "named", "v1")

    with PlainRepository(distribution2.address, f"{path}/to") as repository:
        assert contents(repository, "v1") == original


async def test_an_image_that_skopeo_wrote_without_a_name_is_the_latest(
    distribution2, registry, repository_path, tmp_path
):
    with PlainRepository(distribution2.address, f"{repository_path}/from") as repository:
        image = push_image(repository, "v1")
    source = f"docker://{distribution2.host}/{repository_path}/from:v1"
    skopeo("copy", "--src-tls-verify=false", source, f"oci:{tmp_path}/layout")

    assert (await open_layout(tmp_path / "layout").resolve(Tag("latest"))).digest
    await copy(
        open_layout(tmp_path / "layout"), registry.repository(f"{repository_path}/to"), "latest"
    )
    with PlainRepository(distribution2.address, f"{repository_path}/to") as repository:
        assert repository.digest("latest") == image.digest


async def test_a_nested_index_goes_through_a_layout_and_back(
    distribution2, registry, repository_path, tmp_path
):
    with PlainRepository(distribution2.address, f"{repository_path}/from") as repository:
        push_nested_index(repository, "v1")
        original = contents(repository, "v1")
    layout = open_layout(tmp_path / "layout")

    await copy(registry.repository(f"{repository_path}/from"), layout, "v1")
    await copy(layout, registry.repository(f"{repository_path}/to"), "v1")

    with PlainRepository(distribution2.address, f"{repository_path}/to") as repository:
        assert contents(repository, "v1") == original


async def test_skopeo_and_we_may_write_the_same_layout_in_turn(
    distribution2, registry, repository_path, tmp_path
):
    with PlainRepository(distribution2.address, repository_path) as repository:
        push_image(repository, "ours", seed="ours")
        push_image(repository, "theirs", seed="theirs")
        push_image(repository, "again", seed="again")
    layout = open_layout(tmp_path / "layout")
    source = registry.repository(repository_path)

    await copy(source, layout, "ours")
    skopeo(
        "copy",
        "--src-tls-verify=false",
        f"docker://{distribution2.host}/{repository_path}:theirs",
        f"oci:{tmp_path}/layout:theirs",
    )
    await copy(source, layout, "again")

    tags = {tag async for page in layout.list_tags() for tag in page}
    assert tags == {"ours", "theirs", "again"}
    for tag in tags:
        skopeo("copy", f"oci:{tmp_path}/layout:{tag}", f"dir:{tmp_path}/{tag}")
