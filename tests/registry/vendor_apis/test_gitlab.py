"""GitLab's groups and projects, which its catalogue does not show."""

from __future__ import annotations

import pytest

from replicator.errors import NotFound
from replicator.registry.settings import Credentials
from tests.fakes.gitlab import FakeGitLab
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support.embedded import store_image

PAT = Credentials("somebody", "glpat-secret")


@pytest.fixture
async def gitlab(start):
    fake = FakeGitLab({"somebody": "glpat-secret"}, groups=("group", "group/sub"))
    await start(fake.registry)
    await start(fake.site)
    return fake


@pytest.fixture
def client(open_client, gitlab):
    return open_client(gitlab.registry.host, login=PAT, **gitlab.settings())


async def test_the_repositories_of_a_group_are_found_page_by_page(gitlab, client):
    names = [f"group/project/app{number:03}" for number in range(120)]
    for name in names:
        store_image(gitlab.storage, name, "v1", seed="one")

    assert await paths(client.registry, "group/") == names
    assert gitlab.site.requests.count("GET", "/api/v4/", status=200) == 2


async def test_the_repositories_of_a_project_are_found_as_well(gitlab, client):
    for name in ("group/project", "group/project/app", "group/project-b"):
        store_image(gitlab.storage, name, "v1", seed="one")

    assert await paths(client.registry, "group/project/") == ["group/project/app"]


async def test_a_group_that_is_missing_is_not_an_empty_one(client):
    with pytest.raises(NotFound):
        await paths(client.registry, "nowhere/")


async def test_tags_are_listed_at_the_registry_without_a_detour(gitlab, client):
    store_image(gitlab.storage, "group/project", "v1")

    assert await observed(client.registry.repository("group/project")) == {"v1": None}
    assert gitlab.site.requests.count("GET", "/api/v4/") == 0
    assert client.heard.warnings == []
