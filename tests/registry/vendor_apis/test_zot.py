"""zot's search extension, where it is, and what is done where it is not."""

from __future__ import annotations

import pytest

from replicator.errors import NotFound
from replicator.registry.settings import Credentials
from tests.fakes.zot import FakeZot
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support.embedded import store_cosign_signature, store_image, store_index

PATH = "team/app"
ALICE = Credentials("alice", "wonderland")
SEARCH = "GET", "/v2/_zot/ext/search"


@pytest.fixture
async def zot(start):
    fake = FakeZot({"alice": "wonderland"})
    await start(fake.registry)
    return fake


@pytest.fixture
def client(open_client, zot):
    return open_client(zot.registry.host, kind="zot", login=ALICE)


async def test_a_thousand_tags_cost_one_search_and_one_list(zot, client):
    images = {
        f"{n:04}": store_image(zot.storage, PATH, f"{n:04}", seed=f"{n % 7}").digest
        for n in range(1001)
    }

    assert await observed(client.registry.repository(PATH)) == images
    assert zot.registry.requests.count(*SEARCH, status=200) == 2
    assert zot.registry.requests.count("GET", "tags/list", status=200) == 2
    assert zot.registry.requests.count("HEAD", "/manifests/") == 0


async def test_the_digest_is_that_of_the_index(zot, client):
    index = store_index(zot.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": index.digest}


async def test_tags_of_signatures_are_listed_although_the_search_hides_them(zot, client):
    image = store_image(zot.storage, PATH, "v1")
    store_cosign_signature(zot.storage, PATH, image)

    seen = await observed(client.registry.repository(PATH))

    assert seen == {"v1": image.digest, f"sha256-{image.digest.hex}.sig": None}


async def test_a_build_without_search_is_asked_for_tags_alone_and_nothing_is_said(zot, client):
    zot.has_search = False
    store_image(zot.storage, PATH, "v1")

    for _ in range(2):
        assert await observed(client.registry.repository(PATH)) == {"v1": None}

    assert zot.registry.requests.count("GET", "ext/discover") == 2  # the first without a login
    assert zot.registry.requests.count(*SEARCH) == 0
    assert client.heard.warnings == []


async def test_a_repository_that_is_missing_is_not_found(client):
    with pytest.raises(NotFound):
        await observed(client.registry.repository("team/missing"))


async def test_links_with_names_as_they_are_and_a_last_that_must_exist_are_no_trouble(zot, client):
    names = [f"team/app{number:03}" for number in range(3)]
    for name in names:
        store_image(zot.storage, name, "v1", seed="one")

    assert await paths(client.registry, "team/") == names


async def test_it_is_recognised_by_its_realm(zot, open_client):
    store_image(zot.storage, PATH, "v1")
    client = open_client(zot.registry.host, login=ALICE)

    await client.registry.repository(PATH).resolve("v1")

    assert client.registry.knowledge.profile.kind == "zot"
