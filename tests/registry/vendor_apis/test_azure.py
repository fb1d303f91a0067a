"""Azure's listing of tags, with the registry's own tokens."""

from __future__ import annotations

import pytest

from replicator.errors import NotFound
from replicator.registry.settings import Credentials
from tests.fakes.azure import FakeAzure
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support.embedded import store_image, store_index

PATH = "team/app"
ROBOT = Credentials("robot", "secret")
API = "GET", "/acr/v1/"


@pytest.fixture
async def azure(start):
    fake = FakeAzure({"robot": "secret"})
    await start(fake.registry)
    return fake


@pytest.fixture
def client(open_client, azure):
    return open_client(azure.registry.host, kind="acr", login=ROBOT)


async def test_a_hundred_tags_cost_one_request_and_the_next_link_is_followed_to_the_letter(
    azure, client
):
    images = {
        f"{n:03}": store_image(azure.storage, PATH, f"{n:03}", seed=f"{n}").digest
        for n in range(250)
    }

    assert await observed(client.registry.repository(PATH)) == images
    assert azure.registry.requests.count(*API, status=200) == 3
    assert azure.registry.requests.count("GET", r"last=099&n=100&orderby=$") == 1


async def test_the_digest_is_that_of_the_index(azure, client):
    index = store_index(azure.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": index.digest}


async def test_a_token_without_the_right_to_metadata_lists_at_the_registry(azure, client):
    azure.tokens.without_metadata = {"robot"}
    store_image(azure.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": None}
    assert len(client.heard.warnings) == 1


async def test_a_repository_that_is_missing_is_not_found(client):
    with pytest.raises(NotFound):
        await observed(client.registry.repository("team/missing"))


async def test_repositories_are_found_in_the_catalogue(azure, client):
    names = [f"team/app{number:03}" for number in range(120)]
    for name in (*names, "other/app"):
        store_image(azure.storage, name, "v1", seed="one")

    assert await paths(client.registry, "team/") == names
