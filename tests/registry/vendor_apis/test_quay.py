"""Quay's API: tags newest first, organisations, and what it does not say."""

from __future__ import annotations

import pytest

from replicator.errors import Denied, NotFound, Unauthorized
from replicator.events import BlobOutcome
from replicator.oci.reference import Tag
from replicator.registry.settings import Create, Credentials
from tests.fakes.quay import FakeQuay
from tests.registry.test_repository import blob_of, send
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support import faults as fault
from tests.support.embedded import random_bytes, store_image, store_index

PATH = "org/app"
API = "GET", r"/api/v1/"
TAGS = "GET", r"/tag/\?"
ROBOT = Credentials("org+sync", "robot-secret")
OAUTH = Credentials("$oauthtoken", "oauth-secret")
PASSWORDS = {"org+sync": "robot-secret", "$oauthtoken": "oauth-secret"}


@pytest.fixture
async def start_quay(start, open_client):
    async def start_one(*, login=None, client=(), **options):
        quay = FakeQuay(PASSWORDS, **options)
        quay.oauth["oauth-secret"] = {"org"}
        await start(quay.registry)
        options = {"kind": "quay", **dict(client)}
        return quay, open_client(quay.registry.host, login=login, **options)

    return start_one


async def test_a_hundred_tags_cost_one_request(start_quay):
    quay, client = await start_quay()
    images = {
        f"{n:03}": store_image(quay.storage, PATH, f"{n:03}", seed=f"{n}").digest
        for n in range(250)
    }

    assert await observed(client.registry.repository(PATH)) == images
    assert len(quay.registry.requests) == quay.registry.requests.count(*TAGS) == 3


async def test_the_digest_is_that_of_the_index(start_quay):
    quay, client = await start_quay()
    index = store_index(quay.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": index.digest}


@pytest.mark.parametrize("login", [None, OAUTH])
async def test_a_thousand_tags_of_a_registry_that_nobody_named_cost_twelve_requests(
    start_quay, login
):
    quay, client = await start_quay(login=login, client={"kind": "generic"})
    images = {
        f"{n}": store_image(quay.storage, PATH, f"{n}", seed=f"{n}").digest for n in range(1000)
    }

    assert await observed(client.registry.repository(PATH)) == images
    assert client.registry.knowledge.profile.kind == "quay"
    assert len(quay.registry.requests) <= 12


async def test_a_page_that_shifts_while_it_is_read_shows_no_tag_twice(start_quay):
    quay, client = await start_quay()
    for number in range(250):
        store_image(quay.storage, PATH, f"{number:03}", seed="one")
    quay.after_page = lambda: store_image(quay.storage, PATH, "new", seed="two")

    pages = [page async for page in client.registry.repository(PATH).observe_tags()]

    tags = [each.tag for page in pages for each in page]
    assert len(tags) == len(set(tags)) == 250


async def test_a_private_repository_is_listed_with_an_oauth_token(start_quay):
    quay, client = await start_quay(login=OAUTH, private=("org",))
    image = store_image(quay.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": image.digest}
    assert len(quay.registry.requests) == 1


async def test_a_robot_lists_a_private_repository_at_the_registry(start_quay):
    quay, client = await start_quay(login=ROBOT, private=("org",))
    for name in ("org/one", "org/two"):
        store_image(quay.storage, name, "v1")

        assert await observed(client.registry.repository(name)) == {"v1": None}

    assert quay.registry.requests.count(*API) == 1
    assert len(client.heard.warnings) == 1


async def test_a_robots_secret_is_not_sent_to_the_api(start_quay):
    quay, client = await start_quay(login=ROBOT)
    image = store_image(quay.storage, PATH, "v1")

    # With Basic the API would have answered 401.
    assert await observed(client.registry.repository(PATH)) == {"v1": image.digest}


@pytest.mark.parametrize(
    ("code", "message", "is_doubtful"),
    [
        ("MANIFEST_UNKNOWN", "manifest unknown", False),
        ("TAG_EXPIRED", "Tag connect-404 was deleted or has expired.", False),
        ("MANIFEST_UNKNOWN", "HTTPConnectionPool(host='up', port=80): Max retries exceeded", True),
        ("MANIFEST_UNKNOWN", "[Errno 111] Connection refused", True),
    ],
)
async def test_a_proxy_organisation_is_known_by_how_it_lacks_a_tag(
    start_quay, code, message, is_doubtful
):
    quay, client = await start_quay(login=ROBOT)
    store_image(quay.storage, PATH, "v1")
    body = fault.error_body(code, message)
    quay.faults.add(fault.answer(404, body), "GET", "/manifests/connect-404")

    repository = client.registry.repository(PATH)
    assert await repository.may_be_proxy(Tag("connect-404")) is is_doubtful


async def test_a_tag_that_has_come_back_meanwhile_is_not_gone(start_quay):
    quay, client = await start_quay(login=ROBOT)
    store_image(quay.storage, PATH, "v1")

    assert await client.registry.repository(PATH).may_be_proxy(Tag("v1"))


async def test_a_repository_that_is_missing_is_not_found(start_quay):
    _, client = await start_quay(login=OAUTH)

    with pytest.raises((NotFound, Unauthorized)):
        await observed(client.registry.repository("org/missing"))


async def test_an_organisation_is_listed_page_by_page(start_quay):
    quay, client = await start_quay()
    names = [f"org/app{number:03}" for number in range(250)]
    for name in names:
        store_image(quay.storage, name, "v1", seed="one")
    store_image(quay.storage, "other/app", "v1", seed="one")

    assert sorted(await paths(client.registry, "org/")) == names
    assert len(quay.registry.requests) == 3


async def test_an_organisation_we_may_not_see_is_not_an_empty_one(start_quay):
    quay, client = await start_quay(private=("org",))
    store_image(quay.storage, PATH, "v1")

    with pytest.raises(Denied, match="may not see any"):
        await paths(client.registry, "org/")


async def test_a_robot_finds_the_repositories_of_a_private_organisation_in_the_catalogue(
    start_quay,
):
    quay, client = await start_quay(login=ROBOT, private=("org",))
    for name in ("org/app", "other/app"):
        store_image(quay.storage, name, "v1")

    assert await paths(client.registry, "org/") == ["org/app"]


async def test_a_robot_finds_private_repositories_beside_public_ones(start_quay):
    quay, client = await start_quay(login=ROBOT)
    for name in ("org/open", "org/closed"):
        store_image(quay.storage, name, "v1")
    quay.hidden = {"org/closed"}

    assert await paths(client.registry, "org/") == ["org/open", "org/closed"]


async def test_without_an_organisation_the_catalogue_is_listed(start_quay):
    quay, client = await start_quay(login=OAUTH)
    store_image(quay.storage, PATH, "v1")

    assert await paths(client.registry) == ["org/app"]


async def test_wrong_rows_are_left_out_and_counted_in_a_warning(start_quay):
    quay, client = await start_quay()
    store_image(quay.storage, PATH, "v1")
    body = (
        b'{"tags":[{"name":"v1","manifest_digest":"sha256:zz"},{"name":7},{"name":"-x"},{},4],'
        b'"has_additional":false}'
    )
    quay.faults.add(fault.edit_body(lambda _: body), *TAGS)

    assert await observed(client.registry.repository(PATH)) == {"v1": None}
    assert any("3 of what it lists are no tags" in text for text in client.heard.warnings)


async def test_a_listing_that_never_ends_is_an_error(start_quay):
    quay, client = await start_quay()
    store_image(quay.storage, PATH, "v1")
    body = b'{"tags":[{"name":"v1"}],"has_additional":true}'
    quay.faults.add(fault.edit_body(lambda _: body), *TAGS)
    pages = client.registry.repository(PATH).observe_tags()

    await anext(pages)
    with pytest.raises(Exception, match="not complete"):
        await anext(pages)
    assert quay.registry.requests.count(*TAGS) < 10


class TestCreating:
    """Repositories that are missing at the destination."""

    async def test_a_push_makes_a_repository_where_the_robot_may(self, start_quay):
        quay, client = await start_quay(login=ROBOT)
        quay.tokens.creators = {"org+sync"}

        await send(client.registry.repository("org/new"), random_bytes("blob", 100))

        assert "org/new" in quay.tokens.created

    async def test_never_means_that_no_token_for_pushing_is_asked_for(self, start_quay):
        quay, client = await start_quay(login=ROBOT, client={"create": Create.NEVER})
        quay.tokens.creators = {"org+sync"}

        with pytest.raises((NotFound, Unauthorized)):
            await send(client.registry.repository("org/new"), random_bytes("blob", 100))

        assert quay.tokens.created == set()
        assert quay.registry.requests.count("GET", "push") == 0

    async def test_never_costs_one_request_for_a_repository_that_is_there(self, start_quay):
        quay, client = await start_quay(login=ROBOT, client={"create": Create.NEVER})
        store_image(quay.storage, PATH, "v1")
        repository = client.registry.repository(PATH)
        for number in range(3):
            await send(repository, random_bytes(f"{number}", 100))

        assert quay.registry.requests.count("GET", "/tags/list", status=200) == 1

    async def test_if_missing_makes_a_private_repository_by_the_api(self, start_quay):
        quay, client = await start_quay(login=OAUTH, client={"create": Create.IF_MISSING})
        content = random_bytes("blob", 100)

        await send(client.registry.repository("org/new"), content)

        assert quay.registry.requests.count("POST", "/api/v1/repository", status=201) == 1
        repository = client.registry.repository("org/new")
        assert await repository.offer_blob(blob_of(content)) is BlobOutcome.PRESENT

    async def test_a_repository_that_is_there_is_not_made(self, start_quay):
        quay, client = await start_quay(login=OAUTH, client={"create": Create.IF_MISSING})
        store_image(quay.storage, PATH, "v1")

        await send(client.registry.repository(PATH), random_bytes("blob", 100))

        assert quay.registry.requests.count(pattern="/api/") == 0

    async def test_that_it_may_not_be_made_is_said(self, start_quay):
        _, client = await start_quay(login=ROBOT, client={"create": Create.IF_MISSING})

        with pytest.raises(Denied, match="could not be made"):
            await send(client.registry.repository("org/new"), random_bytes("blob", 100))
