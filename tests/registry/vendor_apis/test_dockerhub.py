"""Docker Hub: tags by the management API, which has a login of its own; pulls within a budget."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import Denied, NotFound, PullsSpent, RateLimited, Unauthorized
from replicator.events import RequestKind
from replicator.oci.reference import Tag
from replicator.registry.profile import all_profiles
from replicator.registry.settings import Credentials
from tests.fakes.dockerhub import FakeHub
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support import faults as fault
from tests.support.embedded import store_image, store_index

PATH = "library/alpine"
ALICE = Credentials("alice", "wonderland")
API = "GET", r"/v2/namespaces/"
PULLS = "GET", r"/manifests/"


@pytest.fixture
async def start_hub(start, open_client):
    async def start_one(*, login=None, client=(), **options):
        hub = FakeHub({"alice": "wonderland"}, **options)
        await start(hub.registry)
        await start(hub.site)
        return hub, open_client("docker.io", login=login, **{**hub.settings(), **dict(client)})

    return start_one


async def test_a_hundred_tags_cost_one_request_and_no_pull(start_hub):
    hub, client = await start_hub(pulls=100)
    images = {
        f"{n}": store_image(hub.storage, PATH, f"{n}", seed=f"{n}").digest for n in range(250)
    }

    assert await observed(client.registry.repository(PATH)) == images
    assert hub.site.requests.count(*API) == 3
    assert (len(hub.registry.requests), hub.pulls) == (0, 100)


async def test_the_digest_is_that_of_the_index(start_hub):
    hub, client = await start_hub()
    index = store_index(hub.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": index.digest}


async def test_whether_there_are_signatures_is_known_from_the_listing(start_hub):
    hub, client = await start_hub()
    image = store_image(hub.storage, PATH, "v1")
    repository = client.registry.repository(PATH)
    await observed(repository)
    hub.registry.requests.clear()

    assert await repository.signature_tags(image.digest) == ()
    assert len(hub.registry.requests) == 0


async def test_the_login_is_exchanged_once_for_a_token_of_the_api(start_hub):
    hub, client = await start_hub(login=ALICE, private=("alice",))
    for name in ("alice/one", "alice/two"):
        image = store_image(hub.storage, name, "v1")

        assert await observed(client.registry.repository(name)) == {"v1": image.digest}
    assert hub.logins == 1


async def test_the_token_of_the_api_is_renewed_before_it_ends(start_hub):
    hub, client = await start_hub(login=ALICE, private=("alice",))
    store_image(hub.storage, "alice/app", "v1")
    repository = client.registry.repository("alice/app")

    await observed(repository)
    client.patience.seconds += 545
    await observed(repository)

    assert hub.logins == 2


async def test_the_registrys_password_goes_to_no_api_but_the_one_of_profile_or_entry(start_hub):
    hub, client = await start_hub(login=ALICE)
    store_image(hub.storage, PATH, "v1")
    hub.site_faults.add(fault.redirect(hub.registry.url), *API)
    hub.registry.requests.clear()

    await observed(client.registry.repository(PATH))

    assert all_profiles()["dockerhub"].api_endpoint == "https://hub.docker.com"
    assert hub.registry.requests.count(*API, status=200) == 0


@pytest.mark.parametrize("name", ["docker.io", "mirror.test"])
async def test_a_mirror_of_docker_hub_is_not_looked_up_at_docker_hub(start_hub, open_client, name):
    hub, _ = await start_hub()
    image = store_image(hub.storage, PATH, "v1")
    settings = hub.settings() | {"api_endpoint": "", "kind": "dockerhub"}
    # Whatever went to hub.docker.com would fail here, and be warned of.
    client = open_client(name, login=ALICE, **settings)
    repository = client.registry.repository(PATH)

    assert await observed(repository) == {"v1": None}
    assert (await repository.resolve(Tag("v1"))).digest == image.digest
    assert client.heard.warnings == []
    assert client.heard.requests[RequestKind.API] == 0


async def test_without_the_api_tags_are_listed_and_asked_for_and_that_is_said_once(start_hub):
    hub, client = await start_hub(client={"retries": 0})
    for name in ("library/alpine", "library/debian"):
        store_image(hub.storage, name, "v1")
    hub.site_faults.add(fault.answer(403, b"<html>no</html>"), *API)

    for name in ("library/alpine", "library/debian"):
        assert await observed(client.registry.repository(name)) == {"v1": None}

    assert hub.site.requests.count(*API) == 1
    assert [text for text in client.heard.warnings if "one by one" in text] == client.heard.warnings
    assert len(client.heard.warnings) == 1


@pytest.mark.parametrize(
    "action",
    [
        fault.answer(401, b"{}"),
        fault.answer(404, b"404 page not found"),
        fault.answer(200, b"<!DOCTYPE html><html></html>"),
        fault.answer(200, b"[]"),
        fault.answer(503),
    ],
)
async def test_whatever_the_api_says_instead_the_tags_are_listed(start_hub, action):
    hub, client = await start_hub(client={"retries": 0})
    store_image(hub.storage, PATH, "v1")
    hub.site_faults.add(action, *API)

    assert await observed(client.registry.repository(PATH)) == {"v1": None}


async def test_a_repository_that_is_missing_is_not_found_and_the_api_is_not_blamed(start_hub):
    hub, client = await start_hub()
    image = store_image(hub.storage, PATH, "v1")

    with pytest.raises(NotFound):
        await observed(client.registry.repository("library/missing"))

    assert await observed(client.registry.repository(PATH)) == {"v1": image.digest}
    assert client.heard.warnings == []


async def test_a_wait_until_a_point_in_time_is_kept_and_the_page_asked_for_again(start_hub):
    hub, client = await start_hub()
    for number in range(150):
        store_image(hub.storage, PATH, f"{number}", seed="one")
    # Docker Hub writes when, and not how long; the test's clock says 1000.
    moment = {"X-Retry-After": "1000000030"}
    client.patience.seconds = 1_000_000_000
    hub.site_faults.add(fault.answer(429, headers=moment), "GET", r"page=2", times=1)

    found = await observed(client.registry.repository(PATH))

    assert len(found) == 150
    assert any(30 <= slept < 32 for slept in client.patience.slept)
    assert hub.site.requests.count("GET", r"page=1&") == 1


async def test_a_limit_of_the_api_does_not_slow_the_registry_down(start_hub):
    hub, client = await start_hub(client={"retries": 0})
    store_image(hub.storage, PATH, "v1")
    hub.site_faults.add(fault.answer(429, headers={"Retry-After": "50"}), *API)

    await observed(client.registry.repository(PATH))

    assert client.patience.slept == []


async def test_a_listing_that_breaks_off_is_an_error(start_hub):
    hub, client = await start_hub(client={"retries": 0})
    for number in range(150):
        store_image(hub.storage, PATH, f"{number}", seed="one")
    hub.site_faults.add(fault.answer(429), "GET", r"page=2")
    pages = client.registry.repository(PATH).observe_tags()

    assert len(await anext(pages)) == 100
    with pytest.raises(RateLimited):
        await anext(pages)


async def test_the_repositories_of_a_namespace_are_found(start_hub):
    hub, client = await start_hub()
    for number in range(120):
        store_image(hub.storage, f"library/app{number}", "v1", seed="one")
    store_image(hub.storage, "other/app", "v1", seed="one")

    found = await paths(client.registry, "library/")

    assert len(found) == 120
    assert all(path.startswith("library/") for path in found)


async def test_a_namespace_nobody_may_see_is_an_error_and_not_an_empty_one(start_hub):
    hub, client = await start_hub(private=("alice",))
    store_image(hub.storage, "alice/app", "v1", seed="one")

    with pytest.raises(NotFound):
        await paths(client.registry, "alice/")


async def test_a_wrong_login_is_said_and_not_tried_again_and_again(start_hub):
    hub, client = await start_hub(login=Credentials("alice", "wrong"))
    store_image(hub.storage, PATH, "v1")

    for _ in range(3):
        with pytest.raises(Unauthorized):
            await observed(client.registry.repository(PATH))
    assert hub.logins == 1


class TestPulls:
    """The budget of pulls."""

    async def test_a_head_is_free(self, start_hub):
        hub, client = await start_hub(pulls=0)
        image = store_image(hub.storage, PATH, "v1")

        assert (await client.registry.repository(PATH).resolve(Tag("v1"))).digest == image.digest

    async def test_the_reserve_is_left_to_others(self, start_hub):
        hub, client = await start_hub(pulls=15, client={"pull_reserve": 12})
        store_image(hub.storage, PATH, "v1")
        repository = client.registry.repository(PATH)

        for _ in range(3):
            await repository.get_manifest(Tag("v1"))
        with pytest.raises(PullsSpent, match="12 pulls are left"):
            await repository.get_manifest(Tag("v1"))

        assert hub.pulls == 12

    async def test_many_at_once_do_not_take_more_than_there_is(self, start_hub):
        hub, client = await start_hub(pulls=15)
        store_image(hub.storage, PATH, "v1")
        repository = client.registry.repository(PATH)

        answers = await asyncio.gather(
            *(repository.get_manifest(Tag("v1")) for _ in range(50)), return_exceptions=True
        )

        assert hub.pulls == 10
        assert sum(isinstance(answer, PullsSpent) for answer in answers) == 45

    async def test_an_account_without_a_limit_has_no_budget(self, start_hub):
        hub, client = await start_hub(pulls=None)
        store_image(hub.storage, PATH, "v1")
        repository = client.registry.repository(PATH)

        for _ in range(20):
            await repository.get_manifest(Tag("v1"))

    async def test_after_a_while_it_is_looked_whether_there_is_more_again(self, start_hub):
        hub, client = await start_hub(pulls=11)
        store_image(hub.storage, PATH, "v1")
        repository = client.registry.repository(PATH)
        await repository.get_manifest(Tag("v1"))
        with pytest.raises(PullsSpent):
            await repository.get_manifest(Tag("v1"))

        hub.pulls = 50
        client.patience.seconds += 61
        await repository.get_manifest(Tag("v1"))

        assert client.heard.requests[RequestKind.MANIFEST_HEAD] == 1

    async def test_the_limit_reached_is_no_reason_to_try_again(self, start_hub):
        hub, client = await start_hub(pulls=0)
        store_image(hub.storage, PATH, "v1")

        with pytest.raises(PullsSpent):
            await client.registry.repository(PATH).get_manifest(Tag("v1"))

        assert hub.registry.requests.count(*PULLS) == 1 + 1  # without a token, and with it
        assert client.patience.slept == []


async def test_a_tag_is_deleted_by_the_management_api_of_its_owner_alone(start_hub):
    hub, client = await start_hub(login=ALICE)
    for path in ("alice/app", "library/app"):
        image = store_image(hub.storage, path, "v1")
        hub.storage.put_tag(path, "v2", image.digest)
    repository = client.registry.repository("alice/app")

    await repository.delete_tag(Tag("v1"))
    with pytest.raises(Denied):
        await client.registry.repository("library/app").delete_tag(Tag("v1"))

    assert repository.deletes_tags
    assert hub.storage.tags("alice/app") == ["v2"]
    assert hub.storage.tags("library/app") == ["v1", "v2"]
