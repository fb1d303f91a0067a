"""GitHub's packages: versions with their tags, of organisations and of users."""

from __future__ import annotations

import pytest

from replicator.errors import NotFound
from replicator.registry.profile import all_profiles
from replicator.registry.settings import Credentials
from tests.fakes.github import FakeGitHub
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support.embedded import store_image, store_index

PATH = "acme/group/app"
PAT = Credentials("somebody", "ghp_secret")
VERSIONS = "GET", "/versions"


@pytest.fixture
async def start_github(start, open_client):
    async def start_one(*, login=PAT, **options):
        github = FakeGitHub({"somebody": "ghp_secret"}, **options)
        await start(github.registry)
        await start(github.site)
        return github, open_client(github.registry.host, login=login, **github.settings())

    return start_one


async def test_a_hundred_versions_cost_one_request(start_github):
    github, client = await start_github()
    images = {
        f"{n}": store_image(github.storage, PATH, f"{n}", seed=f"{n}").digest for n in range(250)
    }

    assert await observed(client.registry.repository(PATH)) == images
    assert github.site.requests.count(*VERSIONS) == 3
    assert len(github.registry.requests) == 0


async def test_pages_of_versions_without_tags_do_not_end_the_listing(start_github):
    github, client = await start_github()
    github.untagged = 700
    index = store_index(github.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": index.digest}


async def test_the_packages_of_a_user_are_found_as_well(start_github):
    github, client = await start_github(users=("alice",))
    image = store_image(github.storage, "alice/app", "v1")

    assert await observed(client.registry.repository("alice/app")) == {"v1": image.digest}
    assert await paths(client.registry, "alice/") == ["alice/app"]


async def test_without_a_login_the_registry_is_asked_and_nobody_is_blamed(start_github):
    github, client = await start_github(login=None)
    store_image(github.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": None}
    assert len(github.site.requests) == 0
    assert client.heard.warnings == []


async def test_a_package_that_is_missing_is_not_found(start_github):
    _, client = await start_github()

    with pytest.raises(NotFound):
        await observed(client.registry.repository("acme/missing"))


async def test_the_packages_of_an_organisation_are_found(start_github):
    github, client = await start_github()
    names = [f"acme/app{number:03}" for number in range(120)]
    for name in names:
        store_image(github.storage, name, "v1", seed="one")

    assert await paths(client.registry, "acme/") == names


def test_the_token_goes_to_github_alone():
    assert all_profiles()["ghcr"].api_endpoint == "https://api.github.com"
