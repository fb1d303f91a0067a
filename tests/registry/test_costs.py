"""What things cost, as the registries themselves wrote it down."""

from __future__ import annotations

import pytest

from replicator.events import BlobOutcome
from replicator.oci.reference import Tag
from replicator.registry.repository import Repository
from tests.registry.clients import OpenClient, read
from tests.registry.test_repository import V1, blob_of, push_image, send
from tests.support.embedded import random_bytes
from tests.support.faults import Faults, edit_header
from tests.support.servers import Server


@pytest.fixture(params=["distribution2", "distribution3"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each version of distribution; crane's registry does not mount."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def repository(open_client: OpenClient, server: Server, repository_path: str) -> Repository:
    return open_client(server.host).registry.repository(repository_path)


def asked(server: Server, since: int) -> list[str]:
    """What was asked since then, as methods and the kinds of place."""
    kinds = {
        "uploads": "upload",
        "blobs": "blob",
        "manifests": "manifest",
        "tags": "tags",
        "referrers": "referrers",
    }

    def kind(uri: str) -> str:
        return next((kinds[part] for part in kinds if f"/{part}/" in uri), uri)

    return [f"{request.method} {kind(request.uri)}" for request in server.requests(since)]


async def test_a_missing_blob_costs_two_requests(server, repository):
    since = server.mark()

    await send(repository, random_bytes("missing", 200_000))

    assert asked(server, since) == ["POST upload", "PUT upload"]


async def test_a_present_blob_costs_one_request(server, repository):
    content = random_bytes("present", 1000)
    await send(repository, content)
    since = server.mark()

    assert await repository.offer_blob(blob_of(content)) == BlobOutcome.PRESENT

    assert asked(server, since) == ["POST upload"]


async def test_a_mountable_blob_costs_one_request(open_client, server, repository, repository_path):
    content = random_bytes("mountable", 1000)
    blob = await send(repository, content)
    other = open_client(server.host).registry.repository(f"{repository_path}/other")
    since = server.mark()

    offer = await other.offer_blob(blob, mount_from=repository_path)

    assert offer == BlobOutcome.MOUNTED
    assert asked(server, since) == ["POST upload"]
    assert await other.has_blob(blob)


async def test_a_manifest_costs_one_request_to_write_and_one_to_read(server, repository):
    image = await push_image(repository)
    since = server.mark()

    await repository.put_manifest(image, Tag("v2"))
    await repository.get_manifest(Tag("v2"))

    assert asked(server, since) == ["PUT manifest", "GET manifest"]


async def test_a_tag_costs_one_head_to_resolve(server, repository):
    await push_image(repository)
    since = server.mark()

    await repository.resolve(V1)

    assert asked(server, since) == ["HEAD manifest"]


async def test_a_blob_costs_one_request_to_read(server, repository):
    blob = await send(repository, random_bytes("read", 3_000_000))
    since = server.mark()

    async with repository.read_blob(blob) as pieces:
        await read(pieces)

    assert asked(server, since) == ["GET blob"]


async def test_manifests_without_referrers_and_signatures_cost_two_requests_in_all(
    open_client, server, repository, repository_path
):
    images = [await push_image(repository, Tag(f"t{n}"), seed=f"image{n}") for n in range(3)]
    reader = open_client(server.host).registry.repository(repository_path)
    since = server.mark()

    for image in images:
        assert await reader.list_referrers(image.digest) == ()
        assert await reader.signature_tags(image.digest) == ()

    assert asked(server, since) == ["GET referrers", "GET tags"]


async def test_a_registry_that_does_not_mount_costs_one_more_request_until_that_is_known(
    open_client, crane_registry, repository_path
):
    client = open_client(crane_registry.host)
    repository = client.registry.repository(repository_path)
    first = random_bytes("first", 1000)
    await send(repository, first)
    since = crane_registry.mark()

    assert await repository.offer_blob(blob_of(first)) == BlobOutcome.PRESENT
    await send(repository, random_bytes("second", 1000))

    assert asked(crane_registry, since) == [
        "HEAD blob",
        "HEAD blob",
        "POST upload",
        "PUT upload",
    ]


async def test_a_registry_that_mounts_is_asked_without_a_detour(open_client, start_registry):
    registry = await start_registry()
    repository = open_client(registry.host).registry.repository("team/app")

    await send(repository, random_bytes("first", 1000))
    await send(repository, random_bytes("first", 1000))

    assert [request.method for request in registry.requests] == ["POST", "PUT", "POST"]


async def test_what_mounts_mean_is_learned_from_the_first_upload_where_nothing_tells_it_before(
    open_client, start_registry
):
    faults = Faults()
    registry = await start_registry(wrap=faults)
    faults.add(without_state, "", "/uploads/")
    repository = open_client(registry.host).registry.repository("team/app")

    for seed in ("first", "second", "first"):
        await send(repository, random_bytes(seed, 1000))

    first, others = ["POST", "HEAD", "PUT", "POST"], ["POST", "PUT", "POST"]
    assert [request.method for request in registry.requests] == first + others


async def without_state(app, scope, receive, send_on):
    """Call the state of a session something else, as zot's sessions have none."""
    query = scope["query_string"].replace(b"place=", b"state=")
    renamed = edit_header("Location", lambda location: location.replace("state=", "place=") or None)
    await renamed(app, {**scope, "query_string": query}, receive, send_on)


async def test_what_was_read_is_sent_as_it_comes(open_client, server, repository, repository_path):
    content = random_bytes("relayed", 5_000_000)
    blob = await send(repository, content)
    other = open_client(server.host).registry.repository(f"{repository_path}/copy")

    async with repository.read_blob(blob) as pieces:
        offer = await other.offer_blob(blob)
        await offer.send(pieces)

    async with other.read_blob(blob) as pieces:
        assert await read(pieces) == content
