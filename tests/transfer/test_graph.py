"""A graph is complete, in order, and not without end."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import InvalidManifest, TransferFailed
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.transfer import manifest_reader
from replicator.transfer.fail_points import pass_by
from replicator.transfer.graph import Graph, read_graph
from replicator.transfer.manifest_reader import ManifestReader
from replicator.transfer.recent_manifests import RecentManifests
from tests.transfer.fakes import FakeRegistry, FakeRepository
from tests.transfer.images import add_blob, add_image, add_index, add_layer, add_manifest, entry


def repository() -> FakeRepository:
    return FakeRegistry("source.example").repository("team/app")


async def graph_of(
    source: FakeRepository, root: Manifest, *, foreign_layers: bool = False
) -> Graph:
    return await read_graph(
        ManifestReader(source, RecentManifests(), pass_by), root, foreign_layers=foreign_layers
    )


# For each node the earlier ones that it lists; the first nodes become images.
@st.composite
def dags(draw: st.DrawFn) -> list[list[int]]:
    size = draw(st.integers(2, 12))
    indexes = [draw(st.lists(st.integers(0, number - 1), max_size=4)) for number in range(2, size)]
    return [[], [], *indexes]


def build(source: FakeRepository, nodes: list[list[int]]) -> Manifest:
    made: list[Manifest] = []
    for number, children in enumerate(nodes):
        if children:
            made.append(add_index(source, [made[child] for child in children], seed=number))
        else:
            made.append(add_image(source, seed=f"node {number}"))
    return made[-1]


def depth_of(nodes: list[list[int]], number: int) -> int:
    return 1 + max((depth_of(nodes, child) for child in nodes[number]), default=0)


@given(dags())
def test_children_come_before_parents_and_everything_once(nodes):
    source = repository()
    root = build(source, nodes)
    if depth_of(nodes, len(nodes) - 1) > 8:
        with pytest.raises(TransferFailed):
            asyncio.run(graph_of(source, root))
        return

    graph = asyncio.run(graph_of(source, root))

    written: set[Digest] = set()
    for level in graph.levels:
        for manifest in level:
            assert {child.digest for child in manifest.manifests} <= written
        written |= {manifest.digest for manifest in level}
    assert {child.digest for child in root.manifests} <= written
    everything = [manifest.digest for level in graph.levels for manifest in level]
    everything += [blob.digest for blob in graph.blobs] + [root.digest]
    assert len(everything) == len(set(everything))
    assert set(everything) == source.reachable(root.digest)
    reads = source.registry.called("get_manifest")
    assert len(reads) == len(set(reads))


async def test_eight_levels_are_read_and_nine_are_refused():
    source = repository()
    manifest = add_image(source)
    for number in range(7):
        manifest = add_index(source, [manifest], level=number)
    assert len((await graph_of(source, manifest)).levels) == 7

    with pytest.raises(TransferFailed, match="more than 8 deep") as failure:
        await graph_of(source, add_index(source, [manifest], level=8))

    assert isinstance(failure.value.__cause__, InvalidManifest)
    assert failure.value.side == "source"


async def test_a_circle_ends():
    source = repository()
    promised = Digest.of(b"what the index claims to contain")
    child = Descriptor(media_types.OCI_INDEX, promised, 100)
    body = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [entry(child)],
    }
    root = add_manifest(source, body)
    source.manifests[promised] = root  # a registry that does not check what it serves

    with pytest.raises(TransferFailed, match="deep"):
        await graph_of(source, root)


async def test_two_thousand_manifests_are_the_most():
    source = repository()
    children = [
        Descriptor(media_types.OCI_MANIFEST, Digest.of(str(number).encode()), 100)
        for number in range(2001)
    ]
    body = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [entry(child) for child in children],
    }
    root = add_manifest(source, body)
    image = add_image(source)
    source.manifests |= {child.digest: image for child in children}

    with pytest.raises(TransferFailed, match="more than 2000 manifests"):
        await graph_of(source, root)

    assert len(source.registry.called("get_manifest")) <= 2000


async def test_manifests_have_a_size_together():
    source = repository()
    padding = "x" * (manifest_reader.MAX_MANIFEST_BYTES // 10)
    images = [add_index(source, [], pad=padding, n=number) for number in range(11)]

    with pytest.raises(TransferFailed, match="bytes"):
        await graph_of(source, add_index(source, images))


async def test_a_foreign_layer_is_left_out_unless_asked_for():
    source = repository()
    foreign = add_blob(
        source, b"windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    )
    image = add_image(source, layers=[foreign, add_layer(source, "own")])

    without = await graph_of(source, image)
    included = await graph_of(source, image, foreign_layers=True)

    assert foreign not in without.blobs
    assert set(included.blobs) == {foreign, *without.blobs}


async def test_a_child_of_unknown_type_is_a_manifest_if_the_registry_has_one():
    source = repository()
    kind = "application/vnd.example.thing.v1+json"
    layer = add_layer(source, "payload")
    thing = add_manifest(source, {"mediaType": kind, "layers": [entry(layer)]})

    graph = await graph_of(source, add_index(source, [thing]))

    assert graph.levels == ((thing,),)
    assert graph.blobs == (layer,)


@pytest.mark.parametrize("limit", [4 * 1024 * 1024, 16 * 1024 * 1024])
async def test_a_child_of_unknown_type_is_tried_up_to_the_limit_of_its_registry(limit):
    source = repository()
    source.max_manifest_size = limit
    large = add_blob(source, bytes(5 * 1024 * 1024), "application/vnd.example.thing.v1+json")
    body = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [entry(large)],
    }

    graph = await graph_of(source, add_manifest(source, body))

    assert graph.blobs == (large,)
    tried = [str(large.digest)] if limit > large.size else []
    assert source.registry.called("get_manifest") == tried


async def test_a_build_cache_lists_blobs_as_if_they_were_manifests():
    source = repository()
    layer = add_layer(source, "cached")
    body = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [entry(layer)],
    }

    graph = await graph_of(source, add_manifest(source, body))

    assert graph.levels == ()
    assert graph.blobs == (layer,)
