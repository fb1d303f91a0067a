"""Nexus, Artifactory, Aliyun and Harbor's catalogue: what they do that others do not."""

from __future__ import annotations

import json

import pytest

from replicator.errors import (
    Denied,
    NotFound,
    RegistryError,
    Rejected,
    TagImmutable,
    TooLarge,
)
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCTET_STREAM
from replicator.oci.reference import Tag
from replicator.registry.settings import Credentials
from tests.fakes.aliyun import FakeAliyun
from tests.fakes.artifactory import FakeArtifactory
from tests.fakes.harbor import FakeHarbor
from tests.fakes.nexus import FakeNexus
from tests.registry.test_repository import push_image
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support.embedded import store_image
from tests.support.faults import Faults, answer

PASSWORDS = {"alice": "wonderland"}
ALICE = Credentials("alice", "wonderland")


def names(count: int, prefix: str) -> list[str]:
    return [f"{prefix}{number:04}" for number in range(count)]


class TestNexus:
    @pytest.fixture
    async def nexus(self, start):
        fake = FakeNexus(PASSWORDS)
        await start(fake.registry)
        return fake

    @pytest.fixture
    def client(self, open_client, nexus):
        return open_client(nexus.registry.host, login=ALICE)

    async def test_it_is_recognised_and_its_nulls_and_links_are_no_trouble(self, nexus, client):
        tags = names(1500, "v")
        for tag in tags:
            store_image(nexus.storage, "team/app", tag, seed="one")

        seen = await observed(client.registry.repository("team/app"))

        assert sorted(seen) == tags
        assert client.registry.knowledge.profile.kind == "nexus"
        assert len(client.heard.warnings) == 1

    async def test_a_tag_that_may_not_be_redeployed_is_immutable(self, nexus, client):
        repository = client.registry.repository("team/app")
        first = await push_image(repository, seed="one")
        nexus.redeploys = False

        await repository.put_manifest(first, Tag("v1"))
        with pytest.raises(TagImmutable):
            await push_image(repository, seed="two")


@pytest.mark.parametrize(
    ("types", "path", "may_be_proxy"),
    [
        ({"images": "hosted"}, "team/app", False),
        ({"images": "hosted", "hub": "proxy"}, "team/app", True),
        ({"images": "hosted", "hub": "proxy"}, "images/app", False),
        ({"images": "hosted", "hub": "proxy"}, "hub/app", True),
        ({"images": "hosted", "all": "group"}, "all/app", True),
        ({}, "team/app", True),
    ],
)
async def test_nexus_is_trusted_to_lack_a_tag_where_it_is_known_to_be_no_proxy(
    start, open_client, types, path, may_be_proxy
):
    nexus = FakeNexus(PASSWORDS)
    nexus.types = types
    await start(nexus.registry)
    client = open_client(nexus.registry.host, login=ALICE, kind="nexus")

    assert await client.registry.repository(path).may_be_proxy(Tag("v1")) is may_be_proxy


async def test_the_entry_may_say_where_the_api_of_nexus_is(start, open_client):
    connector, main = FakeNexus(PASSWORDS), FakeNexus(PASSWORDS)
    main.types = {"images": "hosted"}
    await start(connector.registry)
    await start(main.registry)
    client = open_client(
        connector.registry.host, login=ALICE, kind="nexus", api_endpoint=main.registry.url
    )

    assert not await client.registry.repository("team/app").may_be_proxy(Tag("v1"))


@pytest.mark.parametrize(
    ("path", "may_be_proxy"),
    [("images/app", False), ("remote/app", True), ("virtual/app", True), ("other/app", True)],
)
async def test_artifactory_is_trusted_to_lack_a_tag_of_its_local_repositories_alone(
    start, open_client, path, may_be_proxy
):
    fake = FakeArtifactory(PASSWORDS, keys=("images", "remote", "virtual"))
    fake.types = {"remote": "REMOTE", "virtual": "VIRTUAL"}
    await start(fake.registry)
    client = open_client(fake.registry.host, login=ALICE, kind="artifactory")

    assert await client.registry.repository(path).may_be_proxy(Tag("v1")) is may_be_proxy


class TestArtifactory:
    @pytest.fixture
    async def artifactory(self, start):
        fake = FakeArtifactory(PASSWORDS, keys=("images", "remote"))
        await start(fake.registry)
        return fake

    @pytest.fixture
    def client(self, open_client, artifactory):
        return open_client(artifactory.registry.host, login=ALICE, kind="artifactory")

    async def test_the_images_below_a_key_are_found_page_by_page(self, artifactory, client):
        found = names(120, "images/team/app")
        for name in (*found, "remote/app"):
            store_image(artifactory.storage, name, "v1", seed="one")

        assert await paths(client.registry, "images/") == found
        assert artifactory.registry.requests.count("GET", "/api/docker/", status=200) == 2

    async def test_without_a_key_all_of_them_are_listed(self, artifactory, client):
        for name in ("images/app", "remote/app"):
            store_image(artifactory.storage, name, "v1", seed="one")

        assert await paths(client.registry) == ["images/app", "remote/app"]

    async def test_a_key_that_is_missing_is_not_an_empty_one(self, client):
        with pytest.raises(RegistryError):
            await paths(client.registry, "nowhere/")

    async def test_digests_among_the_tags_are_left_out_and_links_elsewhere_followed_here(
        self, artifactory, client
    ):
        tags = names(1500, "v")
        for tag in tags:
            store_image(artifactory.storage, "images/app", tag, seed="one")

        seen = await observed(client.registry.repository("images/app"))

        assert sorted(seen) == tags

    async def test_blobs_are_never_sent_in_the_closing_put(self, artifactory, client):
        repository = client.registry.repository("images/app")

        image = await push_image(repository, tag=Tag("v1"))

        assert (await repository.resolve(Tag("v1"))).digest == image.digest
        assert artifactory.registry.requests.count("PUT", "/blobs/uploads/", status=400) == 0

    async def test_403_to_a_head_is_looked_into_by_a_get(self, artifactory, client):
        store_image(artifactory.storage, "images/app", "v1")

        with pytest.raises(NotFound):
            await client.registry.repository("images/app").resolve(Tag("v2"))

    async def test_a_tag_that_may_not_be_moved_is_immutable(self, artifactory, client):
        repository = client.registry.repository("images/app")
        first = await push_image(repository, seed="one")
        artifactory.may_redeploy = False

        await repository.put_manifest(first, Tag("v1"))
        with pytest.raises(TagImmutable):
            await push_image(repository, seed="two")


class TestAliyun:
    @pytest.fixture
    async def aliyun(self, start):
        fake = FakeAliyun(PASSWORDS, private=("alice",))
        await start(fake.registry)
        await start(fake.site)
        return fake

    @pytest.fixture
    def client(self, open_client, aliyun):
        return open_client(aliyun.registry.host, login=ALICE, **aliyun.settings())

    async def test_tags_that_may_not_be_listed_can_be_read_and_written_by_name(self, client):
        repository = client.registry.repository("alice/app")

        image = await push_image(repository, tag=Tag("v1"))

        assert (await repository.resolve(Tag("v1"))).digest == image.digest
        with pytest.raises(Denied, match="name them"):
            await observed(repository)

    async def test_what_is_public_is_listed(self, aliyun, client):
        store_image(aliyun.storage, "public/app", "v1")

        assert await observed(client.registry.repository("public/app")) == {"v1": None}

    async def test_there_is_no_catalogue(self, client):
        with pytest.raises(RegistryError):
            await paths(client.registry, "alice/")


class TestHarborsCatalogue:
    @pytest.fixture
    async def harbor(self, start):
        fake = FakeHarbor(PASSWORDS, projects=("project",), private=("project",))
        await start(fake.registry)
        store_image(fake.storage, "project/app", "v1")
        return fake

    async def test_it_is_read_with_the_password_where_the_api_is_closed(self, harbor, open_client):
        harbor.pull_only.add("alice")
        client = open_client(harbor.registry.host, kind="harbor", login=ALICE)

        assert await paths(client.registry, "project/") == ["project/app"]

    async def test_a_harbor_nobody_named_is_recognised_before_it_is_listed(
        self, harbor, open_client
    ):
        client = open_client(harbor.registry.host, login=ALICE)

        assert await paths(client.registry, "project/") == ["project/app"]
        assert harbor.registry.requests.count("GET", "/api/v2.0/", status=200) == 1


@pytest.mark.parametrize(
    ("kind", "path", "reason"),
    [
        ("harbor", "app", "2 or more parts"),
        ("quay", "app", "2 or more parts"),
        ("dockerhub", "team/sub/app", "2 parts"),
        ("msr", "team/sub/app", "2 parts"),
        ("dockerhub", "team/my__app", "side by side"),
        ("gitea", "team/my--app", "side by side"),
    ],
)
async def test_a_name_that_cannot_be_there_is_refused_before_anything_is_sent(
    start_registry, open_client, kind, path, reason
):
    registry = await start_registry()
    repository = open_client(registry.host, kind=kind).registry.repository(path)

    with pytest.raises(Rejected, match=reason):
        await push_image(repository)

    assert registry.requests.count() == 0


async def test_a_blob_that_is_known_to_be_too_large_is_not_sent(start_registry, open_client):
    registry = await start_registry()
    repository = open_client(registry.host, kind="ghcr").registry.repository("team/app")
    blob = Descriptor(OCTET_STREAM, Digest.of(b"much"), 10_000_000_001)

    with pytest.raises(TooLarge, match="takes 10000000000"):
        await repository.offer_blob(blob)

    assert registry.requests.count() == 0


async def test_zots_limit_of_repositories_is_no_rate_that_passes(start_registry, open_client):
    detail = {"errors": [{"code": "TOOMANYREQUESTS", "message": "", "detail": {"limit": "3"}}]}
    faults = Faults()
    faults.add(answer(429, json.dumps(detail).encode()), "PUT", "/manifests/")
    registry = await start_registry(wrap=faults)
    client = open_client(registry.host, kind="zot")

    with pytest.raises(Denied, match="as many repositories"):
        await push_image(client.registry.repository("team/app"))

    assert client.patience.slept == []
