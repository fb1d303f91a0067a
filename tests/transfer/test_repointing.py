"""What refers to an index that is cut down: what describes it goes along, what signs it stays."""

from __future__ import annotations

import asyncio
import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ReferrerFailed
from replicator.oci.platform import Platform
from replicator.oci.reference import Tag
from replicator.transfer.copy import Transfer
from replicator.transfer.inventory import MemoryInventory
from replicator.transfer.order import Destination, Order
from replicator.transfer.repointing import REPOINTED_FROM, vouches
from tests.registry.clients import open_client
from tests.support import skopeo
from tests.support.builders import push_artifact, push_index, push_signature
from tests.support.plain_repository import PlainRepository
from tests.support.tools import built
from tests.transfer.images import (
    add_image,
    add_index,
    add_manifest,
    add_referrer,
    add_signature,
)

__all__ = ["open_client"]

AMD64 = (Platform("linux", "amd64"),)
SERVERS = ("distribution3", "crane_registry")


def index_of_two(source, tag="v1"):
    children = [add_image(source, seed="amd64"), add_image(source, seed="arm64")]
    return add_index(source, children, tag, platforms=["linux/amd64", "linux/arm64"])


def add_vouching(source, subject, seed="signature"):
    """A referrer whose artifact type says that it signs its subject."""
    plain = add_referrer(source, subject, seed)
    body = json.loads(source.manifests.pop(plain.digest).content)
    return add_manifest(source, body | {"artifactType": "application/vnd.cncf.notary.signature"})


async def test_an_sbom_of_the_index_refers_to_the_one_that_is_written(world):
    index = index_of_two(world.source)
    sbom = add_referrer(world.source, index)

    result = await world.copy(platforms=AMD64, repoint=True)

    (made,) = world.destination.announced[result.digest]
    copied = world.destination.manifests[made]
    before, after = json.loads(sbom.content), json.loads(copied.content)
    written = world.destination.manifests[result.digest]
    assert after == before | {
        "subject": {
            "mediaType": written.media_type,
            "digest": str(written.digest),
            "size": len(written.content),
        },
        "annotations": {REPOINTED_FROM: str(sbom.digest)},
    }
    assert world.destination.reachable(made)
    assert (result.repointed, result.left_behind) == (1, 0)


async def test_what_signs_the_index_is_left_behind_with_what_refers_to_that(world):
    index = index_of_two(world.source)
    signature = add_vouching(world.source, index)
    add_referrer(world.source, signature, "about the signature")
    add_signature(world.source, index)

    result = await world.copy(platforms=AMD64, repoint=True)

    assert world.destination.announced == {}
    assert world.destination.tags == {"v1": result.digest}
    assert (result.repointed, result.left_behind) == (0, 3)


async def test_what_refers_to_a_repointed_one_follows_it_unless_it_signs_it(world):
    index = index_of_two(world.source)
    sbom = add_referrer(world.source, index)
    add_referrer(world.source, sbom, "a note on the SBOM")
    add_vouching(world.source, sbom, "signs the SBOM")

    result = await world.copy(platforms=AMD64, repoint=True)

    (made,) = world.destination.announced[result.digest]
    assert len(world.destination.announced[made]) == 1
    assert (result.repointed, result.left_behind) == (2, 1)


async def test_an_sbom_under_cosigns_tag_is_written_under_that_of_the_new_index(world):
    index = index_of_two(world.source)
    sbom = add_signature(world.source, index, "sbom")

    result = await world.copy(platforms=AMD64, repoint=True)

    tag = Tag(f"sha256-{result.digest.hex}.sbom")
    assert world.destination.tags == {"v1": result.digest, tag: sbom.digest}


async def test_sboms_of_the_same_content_are_all_written_under_their_new_tags(world):
    inner = index_of_two(world.source, None)
    outer = add_index(world.source, [inner], "v1")
    for subject in (inner, outer):
        add_image(world.source, f"sha256-{subject.digest.hex}.sbom", seed="the same")

    await world.copy(platforms=AMD64, repoint=True)

    names = [tag for tag in world.destination.tags if tag.endswith(".sbom")]
    assert len(names) == 2


async def test_those_of_an_index_within_follow_its_copy(world):
    inner = index_of_two(world.source, None)
    outer = add_index(world.source, [inner], "v1")
    add_referrer(world.source, inner, "of the inner")
    add_referrer(world.source, outer, "of the outer")

    result = await world.copy(platforms=AMD64, repoint=True)

    (child,) = world.destination.manifests[result.digest].manifests
    assert set(world.destination.announced) == {result.digest, child.digest}


async def test_referrers_of_the_images_are_copied_as_they_are(world):
    index = index_of_two(world.source)
    signature = add_vouching(world.source, world.source.manifests[index.manifests[0].digest])

    await world.copy(platforms=AMD64, repoint=True)

    assert set(world.destination.announced) == {index.manifests[0].digest}
    assert signature.digest in world.destination.manifests


async def test_repointing_twice_writes_nothing_anew(world):
    add_referrer(world.source, index_of_two(world.source))
    await world.copy(platforms=AMD64, repoint=True)
    world.registry.calls.clear()

    result = await world.copy(platforms=AMD64, repoint=True)

    assert not result.written
    assert world.registry.called("put_manifest") == []


async def test_an_index_that_keeps_its_digest_keeps_its_referrers(world):
    index = index_of_two(world.source)
    sbom, signature = add_referrer(world.source, index), add_vouching(world.source, index)
    both = (*AMD64, Platform("linux", "arm64"))

    result = await world.copy(platforms=both, repoint=True)

    assert set(world.destination.announced[index.digest]) == {sbom.digest, signature.digest}
    assert (result.repointed, result.left_behind) == (0, 0)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.dev.cosign.simplesigning.v1+json",
        "application/vnd.dev.cosign.artifact.sig.v1+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.cncf.notary.signature",
        "application/vnd.in-toto+json",
        "application/vnd.dsse.envelope.v1+json",
        "application/jose+json",
        "application/cose",
    ],
)
def test_signatures_and_attestations_vouch_for_a_digest(media_type):
    assert vouches("application/octet-stream", media_type)


@given(
    st.sampled_from(["application/spdx+json", "application/vnd.cyclonedx+json", "text/markdown"])
)
def test_descriptions_vouch_for_none(media_type):
    assert not vouches(media_type, "application/vnd.oci.empty.v1+json")


@pytest.fixture(params=SERVERS)
def server(request):
    return request.getfixturevalue(request.param)


async def test_other_tools_find_what_was_repointed(
    server, distribution3, repository_path, open_client, tmp_path
):
    with PlainRepository(distribution3.address, f"{repository_path}/from") as repository:
        index = push_index(repository, "v1")
        sbom = push_artifact(repository, kind="application/spdx", subject=index)
        repository.put_manifest(listing_of(sbom), index.digest.replace(":", "-"))
        push_signature(repository, index)
    destination = f"{repository_path}/to"
    order = Order(
        open_client(distribution3.host).registry.repository(f"{repository_path}/from"),
        Tag("v1"),
        (Destination(open_client(server.host).registry.repository(destination), Tag("v1")),),
        AMD64,
        repoint=True,
    )

    (result,) = await Transfer(inventory=MemoryInventory()).copy(order)

    assert result.error is None
    assert (result.repointed, result.left_behind) == (1, 1)
    name = f"{server.host}/{destination}:v1"
    by_oras = await asyncio.to_thread(
        run, built("oras"), "discover", "--plain-http", "--format=json", name
    )
    (found,) = json.loads(by_oras)["referrers"]
    assert found["artifactType"] == "application/spdx"
    assert found["annotations"][REPOINTED_FROM] == sbom.digest
    host = f"--host=reg={server.host},tls=disabled"
    by_regctl = await asyncio.to_thread(
        run,
        built("regctl"),
        host,
        "artifact",
        "list",
        name,
        "--format={{json .}}",
        HOME=str(tmp_path),
    )
    assert found["digest"] in by_regctl
    skopeo.copy_out(server.address, destination, found["digest"], tmp_path / "pulled")
    assert len(skopeo.read_back(server.address, destination, "v1")) == 5


def run(*command, **environment):
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment or None
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def listing_of(referrer):
    """The list of the tag schema, which this registry leaves to its clients."""
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [referrer.json() | {"artifactType": "application/spdx"}],
    }


async def test_a_referrer_that_cannot_be_read_fails_the_tag(world):
    index = index_of_two(world.source)
    sbom = add_referrer(world.source, index)
    del world.source.blobs[sbom.layers[0].digest]

    with pytest.raises(ReferrerFailed, match="which refers to"):
        await world.copy(platforms=AMD64, repoint=True)

    assert world.destination.tags == {}
