"""Copies between real registries, counted in their own logs and read back by skopeo."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from replicator.embedded.server import EmbeddedRegistry
from replicator.oci.platform import Platform
from replicator.oci.reference import Tag
from replicator.transfer.copy import Transfer
from replicator.transfer.inventory import MemoryInventory
from replicator.transfer.order import Destination, Order
from tests.registry.clients import OpenClient, open_client
from tests.support import skopeo
from tests.support.builders import (
    push_artifact,
    push_chart,
    push_image,
    push_image_with_empty_layer,
    push_index,
    push_many_tags,
    push_nested_index,
    push_signature,
)
from tests.support.contents import contents, named_by
from tests.support.faults import Faults, hang_up_while_receiving
from tests.support.media_types import DOCKER, OCI
from tests.support.plain_repository import PlainRepository, Pushed

__all__ = ["open_client"]

SERVERS = ("distribution2", "distribution3", "crane_registry")


class Stage:
    """Two real registries, and a Transfer between them."""

    def __init__(self, source, destination, path: str, open_client: OpenClient) -> None:
        self.source, self.destination, self.path = source, destination, path
        self.transfer = Transfer(inventory=MemoryInventory())
        self.reading = open_client(source.host).registry
        self.writing = open_client(destination.host).registry

    def pushing(self, suffix: str = "") -> PlainRepository:
        return PlainRepository(self.source.address, f"{self.path}/from{suffix}")

    def pulling(self, suffix: str = "") -> PlainRepository:
        return PlainRepository(self.destination.address, f"{self.path}/to{suffix}")

    def order(self, tag: str, suffix: str = "", **options) -> Order:
        return Order(
            self.reading.repository(f"{self.path}/from{suffix}"),
            Tag(tag),
            (Destination(self.writing.repository(f"{self.path}/to{suffix}"), Tag(tag)),),
            **options,
        )

    async def copy(self, tag: str, suffix: str = "", **options):
        (result,) = await self.transfer.copy(self.order(tag, suffix, **options))
        if result.error is not None:
            raise result.error
        return result

    def requests(self, server, since: int, *, path: str) -> Counter[str]:
        """What was asked of a repository: method, and what it was about."""
        return Counter(
            f"{request.method} {kind_of(request.uri)}"
            for request in server.requests(since)
            if f"/{self.path}/{path}" in request.uri
        )


def kind_of(uri: str) -> str:
    for kind in ("uploads", "blobs", "manifests", "referrers", "tags"):
        if f"/{kind}/" in uri:
            return kind
    return uri


@pytest.fixture(params=[(a, b) for a in SERVERS for b in SERVERS], ids="-to-".join)
def stage(request, repository_path, open_client) -> Stage:
    """Each pair of servers in turn."""
    source, destination = map(request.getfixturevalue, request.param)
    return Stage(source, destination, repository_path, open_client)


@pytest.fixture
def plain_stage(distribution2, distribution3, repository_path, open_client) -> Stage:
    return Stage(distribution2, distribution3, repository_path, open_client)


async def test_every_kind_of_content_is_copied_and_read_back_by_a_witness(stage):
    with stage.pushing() as repository:
        pushed = {
            "image": push_image(repository, "image"),
            "docker": push_image(repository, "docker", seed="docker", flavour=DOCKER),
            "index": push_index(repository, "index"),
            "docker-list": push_index(repository, "docker-list", seed="list", flavour=DOCKER),
            "nested": push_nested_index(repository, "nested"),
            "artifact": push_artifact(repository, "artifact"),
            "chart": push_chart(repository, "chart"),
            "empty": push_image_with_empty_layer(repository, "empty"),
        }

    results = await asyncio.gather(*map(stage.copy, pushed))

    assert all(result.written for result in results)
    with stage.pushing() as source, stage.pulling() as copy:
        for tag, original in pushed.items():
            assert copy.digest(tag) == original.digest
            assert contents(copy, tag) == contents(source, tag)
    for tag in ("image", "docker", "index", "docker-list", "empty"):
        await asyncio.to_thread(
            skopeo.read_back, stage.destination.address, f"{stage.path}/to", tag
        )


async def test_referrers_and_signatures_come_along(stage):
    with stage.pushing() as repository:
        index = push_index(repository, "v1")
        child = digests_of_children(repository, "v1")[0]
        subjects = {index.digest: index, child: pushed_as(repository, child)}
        referrers = {
            digest: push_artifact(repository, seed=f"of {digest}", subject=subject)
            for digest, subject in subjects.items()
        }
        signature = push_signature(repository, index)

    await stage.copy("v1")

    with stage.pulling() as copy:
        for subject, referrer in referrers.items():
            assert [each["digest"] for each in copy.referrers(subject)] == [referrer.digest]
            assert referrer.digest in contents(copy, referrer.digest)
        tag = f"{index.digest.replace(':', '-')}.sig"
        assert copy.digest(tag) == signature.digest


def digests_of_children(repository: PlainRepository, tag: str) -> list[str]:
    return named_by(repository.manifest(tag))[0]


def pushed_as(repository: PlainRepository, digest: str) -> Pushed:
    """Describe an image that is there."""
    return Pushed(OCI.image, digest, len(repository.manifest(digest)))


async def test_a_selection_of_platforms_is_an_index_that_a_witness_takes(stage):
    with stage.pushing() as repository:
        push_index(repository, "v1")

    result = await stage.copy("v1", platforms=(Platform("linux", "arm64"),))

    assert result.digest != result.source_digest
    read = await asyncio.to_thread(
        skopeo.read_back, stage.destination.address, f"{stage.path}/to", "v1"
    )
    assert str(result.digest) in read
    with stage.pulling() as copy:
        assert len(digests_of_children(copy, "v1")) == 1


async def test_the_second_copy_sends_no_blob(stage):
    with stage.pushing() as repository:
        push_index(repository, "v1")
    await stage.copy("v1")
    stage.transfer = Transfer(inventory=MemoryInventory())

    again = await stage.copy("v1")

    assert not again.written
    assert again.tally.blobs_moved == again.tally.blobs_mounted == 0


async def test_a_cold_image_costs_two_requests_a_blob_and_one_a_manifest(plain_stage):
    stage = plain_stage
    with stage.pushing() as repository:
        push_image(repository, "v1", layers=10)
    read_since, written_since = stage.source.mark(), stage.destination.mark()

    await stage.copy("v1", referrers=False)

    assert stage.requests(stage.source, read_since, path="from") == {
        "GET manifests": 1,
        "GET blobs": 11,
    }
    assert stage.requests(stage.destination, written_since, path="to") == {
        "POST uploads": 11,
        "PUT uploads": 11,
        "PUT manifests": 1,
    }


async def test_an_image_in_step_costs_a_read_an_offer_and_a_look(plain_stage):
    stage = plain_stage
    with stage.pushing() as repository:
        push_image(repository, "v1")
    await stage.copy("v1", referrers=False)
    stage.transfer = Transfer(inventory=MemoryInventory())
    read_since, written_since = stage.source.mark(), stage.destination.mark()

    await stage.copy("v1", referrers=False)

    assert stage.requests(stage.source, read_since, path="from") == {"GET manifests": 1}
    assert stage.requests(stage.destination, written_since, path="to") == {
        "POST uploads": 1,
        "HEAD manifests": 1,
    }


async def test_many_tags_at_once_read_and_send_a_shared_blob_once(plain_stage):
    stage = plain_stage
    tags = [f"v{number}" for number in range(60)]
    with stage.pushing() as repository:
        push_many_tags(repository, tags)
    read_since, written_since = stage.source.mark(), stage.destination.mark()

    await asyncio.gather(*(stage.copy(tag, referrers=False) for tag in tags))

    # A config for each image, and the layer that all of them share.
    assert stage.requests(stage.source, read_since, path="from") == {
        "GET manifests": 60,
        "GET blobs": 61,
    }
    assert stage.requests(stage.destination, written_since, path="to") == {
        "POST uploads": 61,
        "PUT uploads": 61,
        "PUT manifests": 60,
    }


async def test_repositories_that_share_blobs_read_them_once_and_mount_the_rest(plain_stage):
    stage = plain_stage
    suffixes = [f"-{number}" for number in range(10)]
    for suffix in suffixes:
        with stage.pushing(suffix) as repository:
            push_image(repository, "v1", layers=4)
    read_since, written_since = stage.source.mark(), stage.destination.mark()

    results = await asyncio.gather(
        *(stage.copy("v1", suffix, referrers=False) for suffix in suffixes)
    )

    assert stage.requests(stage.source, read_since, path="from")["GET blobs"] == 5
    assert stage.requests(stage.destination, written_since, path="to") == {
        "POST uploads": 5 * 10,
        "PUT uploads": 5,
        "PUT manifests": 10,
    }
    assert sum(result.tally.blobs_mounted for result in results) == 5 * 9
    for suffix in suffixes:
        with stage.pushing(suffix) as source, stage.pulling(suffix) as copy:
            assert contents(copy, "v1") == contents(source, "v1")


async def test_several_destinations_are_fed_by_one_read(
    distribution2, distribution3, crane_registry, repository_path, open_client
):
    with PlainRepository(distribution2.address, f"{repository_path}/from") as repository:
        push_image(repository, "v1", layers=3, size=5_000_000)
    source = open_client(distribution2.host).registry.repository(f"{repository_path}/from")
    destinations = [
        open_client(server.host).registry.repository(f"{repository_path}/to")
        for server in (distribution2, distribution3, crane_registry)
    ]
    since = distribution2.mark()
    order = Order(source, Tag("v1"), tuple(Destination(each, Tag("v1")) for each in destinations))

    results = await Transfer(inventory=MemoryInventory()).copy(order)

    assert [result.error for result in results] == [None, None, None]
    reads = Counter(
        request.uri
        for request in distribution2.requests(since)
        if request.method == "GET" and f"{repository_path}/from/blobs/" in request.uri
    )
    assert sorted(reads.values()) == [1, 1, 1, 1]
    for server in (distribution2, distribution3, crane_registry):
        with PlainRepository(server.address, f"{repository_path}/to") as copy:
            assert len(contents(copy, "v1")) == 5


async def test_what_the_inventory_wrongly_believes_is_sent_when_the_registry_says_so(plain_stage):
    stage = plain_stage
    with stage.pushing() as repository:
        push_image(repository, "v1")
    order = stage.order("v1", referrers=False)
    inventory = MemoryInventory()
    image = await order.source.get_manifest(Tag("v1"))
    for blob in image.blobs:
        inventory.note(order.destinations[0].repository.name, blob)
    stage.transfer = Transfer(inventory=inventory)

    result = await stage.copy("v1", referrers=False)

    assert result.tally.blobs_moved == len(image.blobs)
    with stage.pulling() as copy:
        assert copy.digest("v1") == str(image.digest)


@pytest.mark.parametrize("cut_after", [1, 70_000, 3_000_000])
async def test_an_upload_that_breaks_on_the_wire_is_completed(
    distribution2, repository_path, open_client, cut_after
):
    with PlainRepository(distribution2.address, repository_path) as repository:
        push_image(repository, "v1", layers=1, size=5_000_000)
        _, (_, layer) = named_by(repository.manifest("v1"))
    faults = Faults()
    closing = f"digest={layer.replace(':', '(:|%3A)')}"
    rule = faults.add(hang_up_while_receiving(cut_after), "PUT", closing, nth=1)
    async with EmbeddedRegistry(wrap=faults) as destination:
        source = open_client(distribution2.host).registry.repository(repository_path)
        writer = open_client(destination.host).registry.repository("copy")
        order = Order(source, Tag("v1"), (Destination(writer, Tag("v1")),))

        (result,) = await Transfer(inventory=MemoryInventory()).copy(order)

        assert rule.hits == 1
        assert result.error is None
        assert (await writer.resolve(Tag("v1"))).digest == result.digest
