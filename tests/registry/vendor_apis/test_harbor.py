"""Harbor's API: artifacts with their tags, projects, and what is missing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from replicator.errors import Denied, LoginRefused, NotFound, Rejected, Unauthorized
from replicator.events import RequestKind
from replicator.oci.reference import Tag
from replicator.planning.rule import TagSelection
from replicator.planning.selection import Selector
from replicator.registry.settings import Create, Credentials
from replicator.service.looking.listing import TagListing
from tests.fakes.harbor import FakeHarbor
from tests.registry.test_repository import send
from tests.registry.vendor_apis.conftest import observed, paths
from tests.support import faults as fault
from tests.support.embedded import (
    random_bytes,
    store_cosign_signature,
    store_image,
    store_index,
)

PATH = "project/team/app"
ADMIN = Credentials("admin", "Harbor12345")
ROBOT = Credentials("robot$project+sync", "robot-secret")
PASSWORDS = {"admin": "Harbor12345", "robot$project+sync": "robot-secret"}
API = "GET", r"/api/v2\.0/"


@pytest.fixture
async def start_harbor(start, open_client):
    async def start_one(*, login=None, client=(), **options):
        harbor = FakeHarbor(PASSWORDS, **options)
        await start(harbor.registry)
        options = {"kind": "harbor", **dict(client)}
        return harbor, open_client(harbor.registry.host, login=login, **options)

    return start_one


async def test_a_wrong_password_is_told_from_a_project_that_is_missing(start_harbor):
    private = {"private": ("project",)}
    _, good = await start_harbor(login=ROBOT, projects=(), **private)
    wrong = Credentials(ROBOT.username, "wrong")
    _, refused = await start_harbor(login=wrong, projects=("project",), **private)

    with pytest.raises((NotFound, Unauthorized, Denied)) as missing:
        await good.registry.repository(PATH).resolve(Tag("v1"))
    with pytest.raises(LoginRefused):
        await refused.registry.repository(PATH).resolve(Tag("v1"))

    assert not isinstance(missing.value, LoginRefused)


async def test_a_hundred_artifacts_cost_one_request(start_harbor):
    harbor, client = await start_harbor()
    images = {
        f"{n}": store_image(harbor.storage, PATH, f"{n}", seed=f"{n}").digest for n in range(250)
    }

    assert await observed(client.registry.repository(PATH)) == images
    # Three pages, and whether the project is a pull-through cache.
    assert len(harbor.registry.requests) == harbor.registry.requests.count(*API) == 4


async def test_all_tags_of_one_artifact_come_at_once_with_the_digest_of_the_index(start_harbor):
    harbor, client = await start_harbor()
    for number in range(120):
        index = store_index(harbor.storage, PATH, f"v{number}")

    found = await observed(client.registry.repository(PATH))

    assert found == {f"v{number}": index.digest for number in range(120)}
    assert len(harbor.registry.requests) == 2


async def test_the_tags_of_signatures_are_listed_although_the_api_hides_them(start_harbor):
    harbor, client = await start_harbor()
    image = store_image(harbor.storage, PATH, "v1")
    store_cosign_signature(harbor.storage, PATH, image)

    found = await observed(client.registry.repository(PATH))

    assert found == {"v1": image.digest, f"sha256-{image.digest.hex}.sig": None}


async def test_a_private_project_is_listed_with_the_login(start_harbor):
    harbor, client = await start_harbor(login=ROBOT, private=("project",))
    image = store_image(harbor.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": image.digest}
    assert len(harbor.registry.requests) == 2


async def test_a_robot_that_may_only_pull_lists_at_the_registry_and_that_is_said_once(start_harbor):
    harbor, client = await start_harbor(login=ROBOT, private=("project",))
    harbor.pull_only = {ROBOT.username}
    for name in ("project/one", "project/two"):
        store_image(harbor.storage, name, "v1")

        assert await observed(client.registry.repository(name)) == {"v1": None}

    assert harbor.registry.requests.count(*API) == 1
    assert len(client.heard.warnings) == 1


async def test_an_api_that_opens_while_the_registry_is_listed_shows_no_tag_twice(start_harbor):
    harbor, client = await start_harbor(login=ROBOT, private=("project",))
    harbor.pull_only = {ROBOT.username}
    image = store_image(harbor.storage, PATH, "v0000")
    for number in range(1, 1500):
        harbor.storage.put_tag(PATH, f"v{number:04}", image.digest)
    await observed(client.registry.repository(PATH))

    pages = client.registry.repository(PATH).observe_tags()
    first = await anext(pages)
    harbor.pull_only = set()
    client.patience.seconds += 7200
    rest = [each async for page in pages for each in page]

    assert len({each.tag for each in (*first, *rest)}) == len(first) + len(rest) == 1500


async def test_a_cache_lists_what_its_upstream_has_and_is_never_trusted_to_lack_it(start_harbor):
    harbor, client = await start_harbor(login=ADMIN)
    harbor.proxies.projects.add("project")
    for tag in ("v1", "v2"):
        store_image(harbor.storage, PATH, tag)
    repository = client.registry.repository(PATH)
    await repository.get_manifest(Tag("v1"))

    assert set(await observed(repository)) == {"v1", "v2"}
    again = client.registry.repository(PATH)
    harbor.proxies.is_down = True
    assert set(await observed(again)) == {"v1"}
    with pytest.raises(NotFound):
        await again.resolve(Tag("v2"))
    assert await again.may_be_proxy(Tag("v2"))


async def test_that_a_project_is_a_cache_is_asked_for_by_somebody_who_pulled_nothing(
    start_harbor, open_client
):
    harbor, client = await start_harbor(login=ADMIN)
    harbor.proxies.projects.add("project")

    assert await client.registry.repository(PATH).may_be_proxy(Tag("v2"))


@pytest.mark.parametrize("is_proxy", [True, False])
async def test_a_robot_that_may_not_read_its_project_finds_it_in_the_list(start_harbor, is_proxy):
    harbor, client = await start_harbor(login=ROBOT, private=("project",))
    harbor.cannot_read = {ROBOT.username}
    if is_proxy:
        harbor.proxies.projects.add("project")

    assert await client.registry.repository(PATH).may_be_proxy(Tag("v2")) is is_proxy


async def test_what_may_be_a_cache_is_not_trusted_either(start_harbor):
    harbor, client = await start_harbor(login=ROBOT, private=("project",))
    harbor.pull_only = {ROBOT.username}
    harbor.faults.add(fault.answer(403), "GET", r"/api/v2\.0/projects\?")

    assert await client.registry.repository(PATH).may_be_proxy(Tag("v2"))


async def test_a_repository_that_is_missing_is_not_an_empty_one(start_harbor):
    harbor, client = await start_harbor(login=ADMIN)

    with pytest.raises(NotFound):
        await observed(client.registry.repository("project/missing"))
    assert harbor.registry.requests.count(*API, status=200) == 1


async def test_a_project_that_is_missing_is_not_found_although_harbor_says_401(start_harbor):
    _, client = await start_harbor(login=ADMIN)

    with pytest.raises(NotFound, match="project nope not found"):
        await observed(client.registry.repository("nope/app"))
    with pytest.raises(NotFound, match="there is no project nope"):
        await paths(client.registry, "nope/")


async def test_an_emptied_repository_has_no_tags(start_harbor):
    harbor, client = await start_harbor(login=ADMIN)
    store_image(harbor.storage, PATH, "v1")
    harbor.storage.delete_tag(PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {}


async def test_a_project_is_listed_page_by_page_and_others_are_not(start_harbor):
    harbor, client = await start_harbor(projects=("project", "other"))
    names = [f"project/app{number:03}" for number in range(250)]
    for name in (*names, "other/app"):
        store_image(harbor.storage, name, "v1", seed="one")

    assert sorted(await paths(client.registry, "project/")) == names
    assert len(harbor.registry.requests) == 3


async def test_without_a_project_all_of_them_are_listed(start_harbor):
    harbor, client = await start_harbor(login=ADMIN, projects=("one", "two", "empty"))
    for name in ("one/a", "two/b/c"):
        store_image(harbor.storage, name, "v1", seed="one")

    assert sorted(await paths(client.registry)) == ["one/a", "two/b/c"]


async def test_an_empty_project_is_empty(start_harbor):
    _, client = await start_harbor(login=ADMIN)

    assert await paths(client.registry, "project/") == []


async def test_a_project_whose_name_is_a_number_is_taken_by_its_name(start_harbor):
    harbor, client = await start_harbor(projects=("12345",))
    image = store_image(harbor.storage, "12345/app", "v1")

    assert await observed(client.registry.repository("12345/app")) == {"v1": image.digest}


async def test_a_harbor_that_nobody_named_is_recognised_by_its_challenge(start_harbor):
    harbor, client = await start_harbor(client={"kind": ""})
    image = store_image(harbor.storage, PATH, "v1")

    assert await observed(client.registry.repository(PATH)) == {"v1": image.digest}
    assert client.registry.knowledge.profile.kind == "harbor"


async def test_a_listing_that_breaks_off_is_an_error(start_harbor):
    harbor, client = await start_harbor(client={"retries": 0})
    for number in range(150):
        store_image(harbor.storage, PATH, f"{number}", seed=f"{number}")
    harbor.faults.add(fault.answer(500), "GET", r"\?page=2")
    pages = client.registry.repository(PATH).observe_tags()

    assert len(await anext(pages)) == 100
    with pytest.raises(Exception, match="500"):
        await anext(pages)


class TestCreating:
    """Projects that are missing at the destination."""

    BLOB = random_bytes("blob", 100)

    async def test_a_missing_project_is_named_and_so_is_the_way_out(self, start_harbor):
        _, client = await start_harbor(login=ADMIN)

        with pytest.raises(NotFound, match=r'project new not found.*create = "if-missing"'):
            await send(client.registry.repository("new/app"), self.BLOB)

    async def test_if_missing_makes_the_project_once_for_all_who_wait_for_it(self, start_harbor):
        harbor, client = await start_harbor(login=ADMIN, client={"create": Create.IF_MISSING})

        await asyncio.gather(
            *(send(client.registry.repository(f"new/app{n}"), self.BLOB) for n in range(8))
        )

        assert "new" in harbor.projects
        assert harbor.registry.requests.count("POST", r"/api/v2\.0/projects") == 1

    async def test_a_project_that_is_there_costs_nothing(self, start_harbor):
        _, client = await start_harbor(login=ADMIN, client={"create": Create.IF_MISSING})

        await send(client.registry.repository(PATH), self.BLOB)

        assert client.heard.requests[RequestKind.API] == 0

    async def test_a_project_that_somebody_else_has_made_meanwhile_is_there(self, start_harbor):
        harbor, client = await start_harbor(login=ADMIN, client={"create": Create.IF_MISSING})
        harbor.faults.add(fault.answer(404), "HEAD", "projects", times=1)
        harbor.faults.add(_make_project(harbor, "new"), "POST", r"/api/v2\.0/projects")

        await send(client.registry.repository("new/app"), self.BLOB)

    async def test_that_the_project_may_not_be_made_is_said(self, start_harbor):
        harbor, client = await start_harbor(login=ROBOT, client={"create": Create.IF_MISSING})
        harbor.cannot_create = {ROBOT.username}

        with pytest.raises(Denied, match=r"could not be made.*Only system level robot"):
            await send(client.registry.repository("new/app"), self.BLOB)

    async def test_never_says_that_it_does_not_exist(self, start_harbor):
        harbor, client = await start_harbor(login=ADMIN, client={"create": Create.NEVER})

        with pytest.raises(NotFound, match='create = "never"'):
            await send(client.registry.repository("project/new"), self.BLOB)

        assert harbor.registry.requests.count("POST") == 0

    async def test_the_sessions_that_harbor_gives_out_are_not_kept(self, start_harbor):
        harbor, client = await start_harbor(login=ADMIN, client={"create": Create.IF_MISSING})

        # With a cookie the POST that makes the project would be refused for its missing token.
        await observed_or_nothing(client.registry.repository("project/app"))
        await send(client.registry.repository("new/app"), self.BLOB)

        assert "new" in harbor.projects


async def observed_or_nothing(repository):
    with pytest.raises(NotFound):
        await observed(repository)


def _make_project(harbor, name):
    async def act(app, scope, receive, send):
        harbor.projects.add(name)
        await app(scope, receive, send)

    return act


async def test_a_tag_is_deleted_by_the_api_and_its_artifact_keeps_the_others(start_harbor):
    harbor, client = await start_harbor(login=ADMIN)
    image = store_image(harbor.storage, PATH, "v1")
    harbor.storage.put_tag(PATH, "v2", image.digest)
    repository = client.registry.repository(PATH)

    await repository.delete_tag(Tag("v1"))

    assert repository.deletes_tags
    assert harbor.storage.tags(PATH) == ["v2"]
    with pytest.raises(NotFound):
        await repository.delete_tag(Tag("v1"))


async def test_a_robot_without_the_right_and_an_immutable_tag_delete_nothing(start_harbor):
    harbor, client = await start_harbor(login=ROBOT)
    store_image(harbor.storage, PATH, "v1")
    repository = client.registry.repository(PATH)

    harbor.habits.immutable = {"v1"}
    with pytest.raises(Rejected, match="immutable"):
        await repository.delete_tag(Tag("v1"))
    harbor.pull_only = {ROBOT.username}
    with pytest.raises(Denied):
        await repository.delete_tag(Tag("v1"))

    assert harbor.storage.tags(PATH) == ["v1"]


async def listed_by_a_rule(client, **selection):
    """List as a run does; give the tags without a digest that it selects."""
    selector = Selector(TagSelection(**selection))
    repository = client.registry.repository(PATH)
    listing = TagListing(repository, selector, now=datetime(2026, 1, 1, tzinfo=UTC))
    verdicts = [verdict async for some in listing.batches() for verdict in some]
    assert len(verdicts) == 1000
    return [each.tag.tag for each in verdicts if each.selected and each.tag.digest is None]


async def test_a_rule_that_selects_few_of_a_thousand_lists_their_names_and_asks_for_those(
    start_harbor,
):
    harbor, client = await start_harbor()
    for number in range(1000):
        store_image(harbor.storage, PATH, f"1.{number}", seed=str(number))

    few = await listed_by_a_rule(client, include=("1.[0-2]",))
    harbor.registry.requests.clear()
    latest = await listed_by_a_rule(client, latest=5)

    assert sorted(few) == ["1.0", "1.1", "1.2"]
    assert latest == []
    assert harbor.registry.requests.count(*API) == 3
    assert harbor.registry.requests.count("GET", r"/tags/list") == 1
    assert len(harbor.registry.requests) == 4


async def test_a_rule_that_selects_most_of_them_goes_on_with_the_api(start_harbor):
    harbor, client = await start_harbor()
    for number in range(1000):
        store_image(harbor.storage, PATH, f"1.{number}", seed=str(number))

    assert await listed_by_a_rule(client) == []
    assert len(harbor.registry.requests) == harbor.registry.requests.count(*API) == 11


async def test_a_thousand_tags_of_a_registry_that_nobody_named_cost_twelve_requests(start_harbor):
    harbor, client = await start_harbor(
        login=ROBOT, private=("project",), client={"kind": "generic"}
    )
    for number in range(1000):
        store_image(harbor.storage, PATH, f"1.{number}", seed=str(number))

    assert await listed_by_a_rule(client) == []
    assert client.registry.knowledge.profile.kind == "harbor"
    assert len(harbor.registry.requests) == 12
