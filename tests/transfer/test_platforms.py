"""A selection of platforms is an index of the wanted images alone."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import TransferFailed
from replicator.oci import media_types
from replicator.oci.manifest import Manifest
from replicator.oci.platform import Platform
from replicator.transfer.fail_points import pass_by
from replicator.transfer.manifest_reader import ManifestReader
from replicator.transfer.platforms import ATTESTED, select_platforms
from replicator.transfer.recent_manifests import RecentManifests
from tests.transfer.fakes import FakeRegistry, FakeRepository
from tests.transfer.images import add_image, add_index, add_manifest, entry

NAMES = ("linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64")


def repository() -> FakeRepository:
    return FakeRegistry("source.example").repository("team/app")


async def select(source: FakeRepository, index: Manifest, *names: str) -> Manifest:
    reader = ManifestReader(source, RecentManifests(), pass_by)
    return await select_platforms(reader, index, [Platform.parse(name) for name in names])


def with_attestations(source: FakeRepository, names: list[str]) -> Manifest:
    """An index as BuildKit makes it: beside each image, what attests to it."""
    entries = []
    for name in names:
        image = add_image(source, seed=name)
        os, architecture, *variant = name.split("/")
        platform = {"os": os, "architecture": architecture}
        entries.append(
            entry(image.descriptor)
            | {"platform": platform | ({"variant": variant[0]} if variant else {})}
        )
        entries.append(
            entry(add_image(source, seed=f"attests to {name}").descriptor)
            | {
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {
                    "vnd.docker.reference.type": "attestation-manifest",
                    ATTESTED: str(image.digest),
                },
            }
        )
    body = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": entries,
        "annotations": {"org.example.kept": "ja, natürlich"},
    }
    return add_manifest(source, body, "v1")


@given(there=st.permutations(NAMES), wanted=st.sets(st.sampled_from(NAMES), min_size=1))
def test_only_the_wanted_children_stay_in_their_order(there, wanted):
    source = repository()
    index = with_attestations(source, there)

    selected = asyncio.run(select(source, index, *sorted(wanted)))

    before, after = json.loads(index.content), json.loads(selected.content)
    expected = []
    for number, name in enumerate(there):
        if name in wanted:
            expected += before["manifests"][2 * number : 2 * number + 2]
    assert after == before | {"manifests": expected}
    assert selected.media_type == index.media_type


@given(wanted=st.sets(st.sampled_from(NAMES), min_size=1))
def test_the_same_selection_has_the_same_digest(wanted):
    source = repository()
    index = with_attestations(source, list(NAMES))

    first = asyncio.run(select(source, index, *sorted(wanted)))
    again = asyncio.run(select(source, index, *sorted(wanted, reverse=True)))

    assert first.content == again.content


async def test_an_index_that_has_nothing_else_keeps_its_bytes():
    source = repository()
    index = with_attestations(source, ["linux/amd64", "linux/arm64"])

    assert await select(source, index, "linux/amd64", "linux/arm64") is index


async def test_what_is_not_there_is_named_beside_what_is():
    source = repository()
    index = with_attestations(source, ["linux/amd64", "linux/arm/v7"])

    with pytest.raises(
        TransferFailed, match="no image for plan9/mips; there is: linux/amd64, linux/arm/v7"
    ) as failure:
        await select(source, index, "plan9/mips")

    assert failure.value.side == "source"


async def test_a_nested_index_is_looked_into():
    source = repository()
    amd64, arm64 = add_image(source, seed="amd64"), add_image(source, seed="arm64")
    inner = add_index(source, [amd64, arm64], platforms=["linux/amd64", "linux/arm64"])
    other = add_index(source, [add_image(source, seed="s390x")], platforms=["linux/s390x"])
    outer = add_index(source, [inner, other])
    reader = ManifestReader(source, RecentManifests(), pass_by)

    selected = await select_platforms(reader, outer, [Platform("linux", "arm64")])

    (child,) = selected.manifests
    made = reader.known(child.digest)
    assert made is not None
    assert [each.digest for each in made.manifests] == [arm64.digest]
    assert child.size == len(made.content)
    assert reader.made == {selected.digest: outer.digest, made.digest: inner.digest}


async def test_unwanted_images_are_not_read():
    source = repository()
    index = with_attestations(source, list(NAMES))

    await select(source, index, "linux/amd64")

    assert source.registry.called("get_manifest") == []


async def test_the_copy_has_the_selection_under_the_tag(world):
    amd64, arm64 = (add_image(world.source, seed=name) for name in ("amd64", "arm64"))
    index = add_index(world.source, [amd64, arm64], "v1", platforms=["linux/amd64", "linux/arm64"])

    result = await world.copy(platforms=(Platform("linux", "arm64"),))

    assert result.source_digest == index.digest
    assert str(result.digest) not in world.source_registry.called("list_referrers")
    assert result.digest == world.destination.tags["v1"] != index.digest
    copied = world.destination.manifests[result.digest]
    assert [child.digest for child in copied.manifests] == [arm64.digest]
    assert amd64.digest not in world.destination.manifests


async def test_a_selection_that_is_there_already_is_not_written_again(world):
    children = [add_image(world.source, seed=name) for name in ("amd64", "arm64")]
    add_index(world.source, children, "v1", platforms=["linux/amd64", "linux/arm64"])
    selection = (Platform("linux", "arm64"),)
    await world.copy(platforms=selection)

    again = await world.copy(platforms=selection)

    assert not again.written
    assert again.digest == world.destination.tags["v1"]


async def test_an_image_that_is_no_index_is_copied_as_it_is(world):
    image = add_image(world.source, "v1")

    result = await world.copy(platforms=(Platform("linux", "arm64"),))

    assert result.digest == image.digest


async def test_of_one_image_listed_for_two_platforms_the_wanted_entry_alone_stays():
    source = repository()
    image = add_image(source)
    index = add_index(source, [image, image], platforms=["linux/amd64", "linux/arm64"])

    selected = await select(source, index, "linux/arm64")

    assert [str(each.platform) for each in selected.manifests] == ["linux/arm64"]


async def test_an_index_that_leads_to_the_same_ones_in_a_million_ways_is_read_once():
    source = repository()
    index = add_index(source, [add_image(source)], platforms=["linux/amd64"])
    for number in range(5):
        # A name of its own makes each of the twenty entries another one of the same index.
        entries = [entry(index.descriptor) | {"annotations": {"n": str(n)}} for n in range(20)]
        index = add_manifest(
            source,
            {
                "schemaVersion": 2,
                "mediaType": media_types.OCI_INDEX,
                "manifests": entries,
                "annotations": {"level": str(number)},
            },
        )

    async with asyncio.timeout(5):
        selected = await select(source, index, "linux/amd64")

    assert selected is index
