"""Google's manifest map."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from replicator.errors import NotFound, RegistryUnavailable
from replicator.events import RequestKind
from replicator.registry.settings import Credentials
from tests.fakes.google import FakeGoogle, GoogleTokens
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support import faults as fault
from tests.support.embedded import store_image, store_index

PATH = "project/docker/app"
LISTING = "GET", r"/tags/list"


@pytest.fixture
async def google(start):
    fake = FakeGoogle()
    await start(fake.registry)
    return fake


@pytest.fixture
def client(open_client, google):
    return open_client(google.registry.host, kind="google")


@pytest.fixture
def repository(client):
    return client.registry.repository(PATH)


async def test_one_request_tells_what_every_tag_names(google, client, repository):
    images = {f"v{n}": store_image(google.storage, PATH, f"v{n}", seed=f"{n}") for n in range(50)}

    assert await observed(repository) == {tag: image.digest for tag, image in images.items()}
    assert google.registry.requests.count(*LISTING, status=200) == 1
    assert client.heard.requests[RequestKind.MANIFEST_HEAD] == 0


async def test_the_digest_is_that_of_the_index_and_not_of_an_image_in_it(google, repository):
    index = store_index(google.storage, PATH, "v1")

    listed = [each async for page in repository.observe_tags() for each in page]

    assert listed[0].digest == index.digest == (await repository.resolve("v1")).digest


async def test_an_image_says_when_it_was_made_and_an_index_does_not(google, repository):
    store_image(google.storage, PATH, "image")
    store_index(google.storage, PATH, "index")

    created = {each.tag: each.created async for page in repository.observe_tags() for each in page}

    assert created == {"image": datetime(2026, 1, 1, tzinfo=UTC), "index": None}


async def test_a_listing_of_several_pages_is_followed(start, open_client):
    google = FakeGoogle(page_size=10)
    await start(google.registry)
    for number in range(25):
        store_image(google.storage, PATH, f"v{number:02}", seed="one")
    repository = open_client(google.registry.host, kind="google").registry.repository(PATH)

    found = await observed(repository)

    assert len(found) == 25
    assert None not in found.values()


async def test_whether_there_are_signatures_is_known_from_the_listing(google, client, repository):
    image = store_image(google.storage, PATH, "v1")
    await observed(repository)
    before_looking = client.heard.requests.total()

    assert await repository.signature_tags(image.digest) == ()
    assert client.heard.requests.total() == before_looking


async def test_the_map_may_be_missing_or_wrong_and_the_tags_are_still_right(
    start, open_client, start_registry
):
    faults = fault.Faults()
    registry = await start_registry(wrap=faults)
    store_image(registry.storage, PATH, "v1")
    client = open_client(registry.host, kind="google")
    for body in (
        b'{"tags":["v1",null,"-no-"]}',
        b'{"tags":["v1"],"manifest":[]}',
        b'{"tags":["v1"],"manifest":{"sha256:no":{"tag":["v1"]},"sha512:0":{"tag":7},"x":[]}}',
    ):
        faults.clear()
        faults.add(fault.edit_body(lambda _, body=body: body), *LISTING)

        assert await observed(client.registry.repository(PATH)) == {"v1": None}


async def test_repositories_are_found_below_one_another(google, client):
    for path in ("project/docker/a", "project/docker/a/b/c", "project/docker/d", "project/else/x"):
        store_image(google.storage, path, "v1")

    found = await paths(client.registry, "project/docker/")

    assert sorted(found) == ["project/docker/a", "project/docker/a/b/c", "project/docker/d"]


async def test_a_login_is_exchanged_for_a_token_although_data_requests_say_nothing_of_it(
    start, open_client
):
    tokens = GoogleTokens(
        {"oauth2accesstoken": "ya29.secret"}, realm="/v2/token", private=["project"]
    )
    google = FakeGoogle(tokens)
    await start(google.registry)
    image = store_image(google.storage, PATH, "v1")
    login = Credentials("oauth2accesstoken", "ya29.secret")
    client = open_client(google.registry.host, kind="google", login=login)

    assert await observed(client.registry.repository(PATH)) == {"v1": image.digest}


async def test_a_repository_that_is_missing_is_not_found(client):
    with pytest.raises(NotFound):
        await observed(client.registry.repository("project/docker/missing"))


async def test_a_listing_that_breaks_off_is_an_error_and_what_came_before_is_right(
    start, open_client
):
    google = FakeGoogle(page_size=10)
    await start(google.registry)
    for number in range(25):
        store_image(google.storage, PATH, f"v{number:02}", seed="one")
    google.faults.add(fault.answer(503), "GET", r"last=v09")
    client = open_client(google.registry.host, kind="google", retries=0)
    pages = client.registry.repository(PATH).observe_tags()

    assert len(await anext(pages)) == 10
    with pytest.raises(RegistryUnavailable):
        await anext(pages)
