"""Docker Trusted Registry: its own list of repositories, and those that have to be made."""

from __future__ import annotations

import pytest

from replicator.errors import Denied, NotFound, RegistryError
from replicator.oci.reference import Tag
from replicator.registry.settings import Create, Credentials
from tests.fakes.msr import FakeMsr
from tests.registry.test_repository import push_image
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support.embedded import store_image

PATH = "team/app"
ALICE = Credentials("alice", "wonderland")


@pytest.fixture
async def msr(start):
    fake = FakeMsr({"alice": "wonderland"}, namespaces=("team", "other"))
    await start(fake.registry)
    return fake


@pytest.fixture
def client(open_client, msr):
    return open_client(msr.registry.host, kind="msr", login=ALICE, create=Create.IF_MISSING)


def store(msr, *names):
    for name in names:
        msr.created.add(name)
        store_image(msr.storage, name, "v1", seed="one")


async def test_a_namespace_is_listed_page_by_page(msr, client):
    names = [f"team/app{number:03}" for number in range(120)]
    store(msr, *names, "other/app")

    assert await paths(client.registry, "team/") == names
    assert msr.registry.requests.count("GET", "/api/v0/", status=200) == 2


async def test_without_a_namespace_all_that_we_may_see_are_listed(msr, client):
    store(msr, "team/app", "other/app")

    assert await paths(client.registry) == ["other/app", "team/app"]


async def test_a_namespace_that_is_missing_is_not_an_empty_one(client):
    with pytest.raises(RegistryError):
        await paths(client.registry, "nowhere/")


async def test_tags_are_asked_for_one_by_one_as_nobody_knows_which_digest_the_api_has(msr, client):
    store(msr, PATH)

    assert await observed(client.registry.repository(PATH)) == {"v1": None}
    assert msr.registry.requests.count("GET", "/api/v0/") == 0


async def test_a_missing_repository_is_made_private(msr, client):
    repository = client.registry.repository(PATH)

    image = await push_image(repository, tag=Tag("v1"))

    assert PATH in msr.created
    assert (await repository.resolve(Tag("v1"))).digest == image.digest
    assert msr.registry.requests.count("POST", "/api/v0/") == 1


async def test_a_repository_that_is_there_is_not_made(msr, client):
    msr.created.add(PATH)

    await push_image(client.registry.repository(PATH), tag=Tag("v1"))

    assert msr.registry.requests.count("POST", "/api/v0/") == 0


async def test_that_it_may_not_be_made_is_said(msr, client):
    msr.tokens.readers.add("alice")
    msr.users.readers.add("alice")

    with pytest.raises(Denied, match="could not be made"):
        await push_image(client.registry.repository(PATH), tag=Tag("v1"))


async def test_a_namespace_is_not_made(client):
    with pytest.raises((Denied, NotFound)):
        await push_image(client.registry.repository("nowhere/app"), tag=Tag("v1"))
