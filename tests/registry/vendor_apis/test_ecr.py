"""ECR, private and public: what its own API is asked, signed with which keys, and what it makes."""

from __future__ import annotations

import pytest

from replicator.errors import Denied, NotFound, Rejected, TagImmutable
from replicator.oci.reference import Tag
from replicator.registry.ecr_host import EcrHost
from replicator.registry.settings import AwsKeys, Create
from tests.fakes.ecr import ACCOUNT, ALIAS, KEYS, FakeEcr, FakePublicEcr, actions_of
from tests.registry.clients import read
from tests.registry.test_repository import push_image
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support import faults as fault
from tests.support.embedded import store_image, store_index

PATH = "team/app"
API = "POST", "/"


def patient_clock():
    """The time at which the clients of tests begin."""
    return 1000.0


@pytest.fixture
async def start_ecr(start, open_client):
    async def start_one(fake=None, *, login=True, **settings):
        ecr = fake or FakeEcr(clock=patient_clock)
        for server in ecr.servers:
            await start(server)
        credentials = ecr.login() if login is True else login
        return ecr, open_client(ecr.host, login=credentials, **ecr.settings(), **settings)

    return start_one


async def test_a_thousand_tags_cost_one_request_and_the_registry_none(start_ecr):
    ecr, client = await start_ecr()
    images = {
        f"{n}": store_image(ecr.storage, PATH, f"{n}", seed=f"{n}").digest for n in range(1100)
    }

    assert await observed(client.registry.repository(PATH)) == images
    assert actions_of(ecr.api) == {"DescribeImages": 2}
    assert len(ecr.registry.requests) == 0


async def test_the_digest_is_that_of_the_index_and_one_image_may_have_many_tags(start_ecr):
    ecr, client = await start_ecr()
    index = store_index(ecr.storage, PATH, "v1")
    ecr.storage.put_tag(PATH, Tag("latest"), index.digest)

    assert await observed(client.registry.repository(PATH)) == {
        "v1": index.digest,
        "latest": index.digest,
    }


async def test_images_without_a_tag_are_not_listed(start_ecr):
    ecr, client = await start_ecr()
    ecr.repositories.untagged = 5000
    image = store_image(ecr.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": image.digest}
    assert actions_of(ecr.api) == {"DescribeImages": 1}


async def test_the_keys_of_a_role_are_sent_with_their_session(start_ecr):
    ecr = FakeEcr(clock=patient_clock)
    ecr.api.session_token = "session"
    keys = AwsKeys(KEYS.access_key, KEYS.secret_key, "session")
    ecr, client = await start_ecr(ecr, login=ecr.login(keys=keys))
    image = store_image(ecr.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": image.digest}


async def test_with_dockers_token_alone_the_registry_is_asked_and_nobody_is_blamed(start_ecr):
    ecr = FakeEcr(clock=patient_clock)
    ecr, client = await start_ecr(ecr, login=ecr.login(keys=None))
    store_image(ecr.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": None}
    assert len(ecr.site.requests) == 0
    assert client.heard.warnings == []


@pytest.mark.parametrize(
    "keys", [AwsKeys(KEYS.access_key, "wrong"), AwsKeys("AKIAUNKNOWN", "secret")]
)
async def test_keys_that_are_refused_leave_the_registry_to_be_asked(start_ecr, keys):
    ecr = FakeEcr(clock=patient_clock)
    ecr, client = await start_ecr(ecr, login=ecr.login(keys=keys))
    store_image(ecr.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": None}
    assert len(client.heard.warnings) == 1
    assert ecr.api.taken == []


async def test_a_right_that_is_missing_is_named_once(start_ecr):
    ecr, client = await start_ecr()
    ecr.api.denied = {"DescribeImages"}
    store_image(ecr.storage, PATH, "v1")
    store_image(ecr.storage, "team/other", "v1")

    for path in (PATH, "team/other"):
        assert await observed(client.registry.repository(path)) == {"v1": None}

    assert actions_of(ecr.api) == {"DescribeImages": 1}
    (warning,) = client.heard.warnings
    assert "is not authorized to perform: ecr:DescribeImages" in warning


async def test_throttling_is_waited_out_although_it_comes_as_400(start_ecr):
    ecr, client = await start_ecr()
    image = store_image(ecr.storage, PATH, "v1")
    body = b'{"__type":"ThrottlingException","message":"Rate exceeded"}'
    ecr.site_faults.add(fault.answer(400, body), *API, times=2)

    assert await observed(client.registry.repository(PATH)) == {"v1": image.digest}
    assert len(client.patience.slept) == 2


async def test_a_listing_that_breaks_off_is_an_error(start_ecr):
    ecr, client = await start_ecr()
    for number in range(1001):
        store_image(ecr.storage, PATH, f"{number}", seed=f"{number}")
    body = b'{"__type":"InvalidParameterException","message":"Invalid token"}'
    ecr.site_faults.add(fault.answer(400, body), *API, nth=2)

    with pytest.raises(Rejected, match="Invalid token"):
        await observed(client.registry.repository(PATH))


async def test_a_repository_that_is_missing_is_not_found(start_ecr):
    _, client = await start_ecr()

    with pytest.raises(NotFound):
        await observed(client.registry.repository(PATH))


async def test_an_empty_repository_has_no_tags(start_ecr):
    ecr, client = await start_ecr()
    ecr.repositories.created.add(PATH)

    assert await observed(client.registry.repository(PATH)) == {}


async def test_the_repositories_of_an_account_are_found(start_ecr):
    ecr, client = await start_ecr()
    names = [f"team/app{number:04}" for number in range(1200)]
    for name in [*names, "other/app"]:
        ecr.repositories.created.add(name)

    assert await paths(client.registry, "team/") == names
    assert actions_of(ecr.api) == {"DescribeRepositories": 2}


async def test_blobs_come_from_s3_without_the_login(start_ecr):
    ecr, client = await start_ecr()
    image = store_image(ecr.storage, PATH, "v1")
    repository = client.registry.repository(PATH)
    manifest = await repository.get_manifest(image.digest)

    async with repository.read_blob(manifest.layers[0]) as pieces:
        assert len(await read(pieces)) == manifest.layers[0].size

    assert ecr.s3.requests.count("GET", "/blobs/") == 1


async def test_if_missing_makes_the_repository(start_ecr):
    ecr, client = await start_ecr(create=Create.IF_MISSING)

    await push_image(client.registry.repository(PATH), tag=Tag("v1"))

    assert ecr.repositories.created == {PATH}
    assert actions_of(ecr.api) == {"CreateRepository": 1}


async def test_on_push_it_is_a_template_of_the_account_that_makes_it(start_ecr):
    ecr, client = await start_ecr()
    repository = client.registry.repository(PATH)
    with pytest.raises(NotFound, match='create = "if-missing"'):
        await push_image(repository, tag=Tag("v1"))

    ecr.on_push = True
    await push_image(repository, tag=Tag("v1"))

    assert ecr.api.taken == []


async def test_without_keys_it_is_said_what_would_make_the_repository(start_ecr):
    ecr = FakeEcr(clock=patient_clock)
    login = ecr.login(keys=None)
    _, client = await start_ecr(ecr, login=login, create=Create.IF_MISSING)

    with pytest.raises(Denied, match='cloud = "aws"'):
        await push_image(client.registry.repository(PATH), tag=Tag("v1"))


async def test_a_tag_that_may_not_be_moved_is_fine_if_it_need_not_be(start_ecr):
    ecr, client = await start_ecr()
    ecr.repositories.created.add(PATH)
    repository = client.registry.repository(PATH)
    image = await push_image(repository, tag=Tag("v1"))
    ecr.immutable.add(PATH)

    await repository.put_manifest(await repository.get_manifest(image.digest), Tag("v1"))

    other = await push_image(repository, tag=None, seed="another")
    with pytest.raises(TagImmutable):
        await repository.put_manifest(await repository.get_manifest(other.digest), Tag("v1"))


class TestDeleting:
    async def test_a_tag_is_deleted_and_its_image_stays_as_long_as_it_has_another(self, start_ecr):
        ecr, client = await start_ecr()
        image = store_image(ecr.storage, PATH, "v1")
        ecr.storage.put_tag(PATH, Tag("v2"), image.digest)
        repository = client.registry.repository(PATH)

        await repository.delete_tag(Tag("v1"))

        assert repository.deletes_tags
        assert ecr.storage.tags(PATH) == ["v2"]
        assert ecr.storage.manifest(PATH, image.digest) is not None

    async def test_a_tag_or_repository_that_is_not_there_is_not_found(self, start_ecr):
        ecr, client = await start_ecr()
        store_image(ecr.storage, PATH, "v1")

        with pytest.raises(NotFound, match="ImageNotFound: Requested image not found"):
            await client.registry.repository(PATH).delete_tag(Tag("v2"))
        with pytest.raises(NotFound, match="does not exist"):
            await client.registry.repository("team/none").delete_tag(Tag("v1"))

    async def test_what_else_it_says_is_the_reason(self, start_ecr):
        ecr, client = await start_ecr()
        failure = {"failureCode": "ImageReferencedByManifestList", "failureReason": "in an index"}
        ecr.api.actions["BatchDeleteImage"] = lambda body: {"failures": [failure]}

        with pytest.raises(Rejected, match="ImageReferencedByManifestList: in an index"):
            await client.registry.repository(PATH).delete_tag(Tag("v1"))

    async def test_without_the_right_or_keys_nothing_is_deleted(self, start_ecr):
        ecr, client = await start_ecr()
        store_image(ecr.storage, PATH, "v1")
        ecr.api.denied.add("BatchDeleteImage")
        with pytest.raises(Denied, match="not authorized to perform"):
            await client.registry.repository(PATH).delete_tag(Tag("v1"))

        other = FakeEcr(clock=patient_clock)
        _, client = await start_ecr(other, login=other.login(keys=None))
        with pytest.raises(Denied, match='cloud = "aws"'):
            await client.registry.repository(PATH).delete_tag(Tag("v1"))
        assert ecr.storage.tags(PATH) == ["v1"]


class TestCaches:
    @pytest.mark.parametrize(
        ("prefixes", "is_proxy"),
        [([], False), (["docker-hub"], False), (["docker-hub", "team"], True), (["ROOT"], True)],
    )
    async def test_rules_tell_what_is_a_pull_through_cache(self, start_ecr, prefixes, is_proxy):
        ecr, client = await start_ecr()
        ecr.repositories.cached = prefixes

        for _ in range(2):
            assert await client.registry.repository(PATH).may_be_proxy(Tag("v1")) is is_proxy
        assert actions_of(ecr.api) == {"DescribePullThroughCacheRules": 1}

    async def test_who_may_not_see_the_rules_takes_nothing_for_gone(self, start_ecr):
        ecr, client = await start_ecr()
        ecr.api.denied.add("DescribePullThroughCacheRules")

        assert await client.registry.repository(PATH).may_be_proxy(Tag("v1"))


class TestPublic:
    @pytest.fixture
    async def public(self, start_ecr):
        return await start_ecr(FakePublicEcr(clock=patient_clock))

    async def test_what_is_our_own_is_listed_by_the_api(self, public):
        ecr, client = public
        image = store_image(ecr.storage, f"{ALIAS}/app", "v1")

        assert await observed(client.registry.repository(f"{ALIAS}/app")) == {"v1": image.digest}
        assert await paths(client.registry, f"{ALIAS}/") == [f"{ALIAS}/app"]
        assert actions_of(ecr.api) == {
            "DescribeRegistries": 1,
            "DescribeImages": 1,
            "DescribeRepositories": 1,
        }

    async def test_what_is_others_is_listed_by_the_registry(self, public):
        ecr, client = public
        store_image(ecr.storage, "docker/library/app", "v1")

        assert await observed(client.registry.repository("docker/library/app")) == {"v1": None}
        assert actions_of(ecr.api) == {"DescribeRegistries": 1}

    async def test_nobody_needs_a_login_to_read(self, start_ecr):
        ecr, client = await start_ecr(FakePublicEcr(), login=None)
        store_image(ecr.storage, "docker/library/app", "v1")

        assert await observed(client.registry.repository("docker/library/app")) == {"v1": None}

    async def test_the_password_is_exchanged_for_a_token_and_the_repository_made(self, start_ecr):
        ecr, client = await start_ecr(FakePublicEcr(clock=patient_clock), create=Create.IF_MISSING)

        await push_image(client.registry.repository(f"{ALIAS}/new"), tag=Tag("v1"))

        assert ecr.repositories.created == {f"{ALIAS}/new"}


@pytest.mark.parametrize(
    ("host", "api"),
    [
        (
            f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com",
            "https://api.ecr.eu-central-1.amazonaws.com",
        ),
        (
            f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "https://api.ecr.cn-north-1.amazonaws.com.cn",
        ),
        (
            f"{ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "https://ecr-fips.us-gov-west-1.amazonaws.com",
        ),
        (f"{ACCOUNT}.dkr-ecr.eu-central-1.on.aws", "https://ecr.eu-central-1.api.aws"),
        (
            f"{ACCOUNT}.dkr.ecr.eusc-de-east-1.amazonaws.eu",
            "https://api.ecr.eusc-de-east-1.amazonaws.eu",
        ),
        ("public.ecr.aws", "https://api.ecr-public.us-east-1.amazonaws.com"),
    ],
)
def test_the_api_follows_from_the_host(host, api):
    found = EcrHost.parse(host)

    assert found is not None
    assert found.api == api
    assert found.account == ("" if host == "public.ecr.aws" else ACCOUNT)


@pytest.mark.parametrize(
    "host",
    [
        "registry.example.com",
        f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com.example.com",
        f"{ACCOUNT}.dkr.ecr.evil.example.amazonaws.com",
        "12.dkr.ecr.eu-central-1.amazonaws.com",
    ],
)
def test_no_other_host_has_that_api(host):
    assert EcrHost.parse(host) is None
