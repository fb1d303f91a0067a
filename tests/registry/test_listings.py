"""Listings of tags and repositories: all pages, nothing twice, never in a circle."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from replicator.errors import NotARegistry, NotFound, RegistryError, RegistryUnavailable, Rejected
from replicator.registry import pagination
from tests.registry.test_repository import push_image
from tests.support import faults as fault
from tests.support.embedded import store_image

TAGS = "GET", "/tags/list"
CATALOGUE = "GET", "/_catalog"
NAMES = [f"v{number:04}" for number in range(250)]


@pytest.fixture
def client(open_client, faulty):
    return open_client(faulty.host)


async def list_tags(repository, *, into=None):
    """List all tags; those that came before an error are in *into*."""
    found = [] if into is None else into
    async for page in repository.list_tags():
        found += page
    return found


def listing(names, *, size=100, link=True, key="tags"):
    """Plays a registry that gives out *names* in pages of *size* at most."""

    async def act(app, scope, receive, send):
        query = parse_qs(scope["query_string"].decode())
        last = query.get("last", [""])[0]
        n = min(size, int(query.get("n", [size])[0]))
        rest = [name for name in names if name > last]
        headers = {"Content-Type": "application/json"}
        if link and len(rest) > n:
            headers["Link"] = f'<{scope["path"]}?n={n}&last={rest[n - 1]}>; rel="next"'
        body = json.dumps({"name": "team/app", key: rest[:n]}).encode()
        await fault.answer(200, body, headers=headers)(app, scope, receive, send)

    return act


@pytest.mark.parametrize("size", [30, 100, 249, 250, 251, 1000])
async def test_all_pages_are_read(faults, repository, size):
    faults.add(listing(NAMES, size=size), *TAGS)

    assert await list_tags(repository) == NAMES


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda link: link,
        lambda link: link.replace("</", "<https://registry.internal:8443/"),
        lambda link: link.replace("</", "</internal/prefix/"),
        lambda link: link.replace("</v2/team/app/tags/list", "<list"),
        lambda link: link.replace("</v2/team/app/tags/list", "<"),
        lambda link: link.replace('rel="next"', "rel=next"),
        lambda link: link.replace('rel="next"', 'Rel = "NEXT"'),
        lambda link: link.replace('; rel="next"', '; title="a, b; c"; rel="next"'),
        lambda link: f'</v2/team/app/tags/list?n=1>; rel="prev" , {link}' if link else None,
    ],
)
async def test_a_link_is_followed_in_every_form(faults, faulty, repository, rewrite):
    faults.add(fault.edit_header("Link", lambda link: rewrite(link) or None), *TAGS)
    faults.add(listing(NAMES), *TAGS)

    assert await list_tags(repository) == NAMES
    assert faulty.requests.count(*TAGS) == 3


async def test_the_query_of_a_link_stays_as_it_is(faults, faulty, repository):
    faults.add(
        fault.edit_header("Link", lambda link: link.replace("?", "?orderby=&") or None), *TAGS
    )
    faults.add(listing(NAMES), *TAGS)

    assert await list_tags(repository) == NAMES
    assert faulty.requests.count("GET", "orderby=&n=100&last=") == 2


async def test_without_links_the_last_name_of_a_full_page_leads_on(open_client, faults, faulty):
    repository = open_client(faulty.host).registry.repository("team/app")
    # The page has to be full, so the registry has to take the number that is asked for.
    faults.add(fault.answer(413), "GET", r"n=1000\b")
    faults.add(listing(NAMES, size=100, link=False), *TAGS)

    assert await list_tags(repository) == NAMES


async def test_a_profile_may_forbid_to_guess(open_client, faults, faulty):
    faults.add(listing(NAMES, size=100, link=False), *TAGS)
    repository = open_client(faulty.host, kind="gitea").registry.repository("team/app")

    assert await list_tags(repository) == NAMES[:100]


async def test_a_registry_that_ignores_last_is_not_asked_for_ever(faults, faulty, repository):
    tags = [f"t{number:04}" for number in range(1000)]
    body = json.dumps({"tags": tags}).encode()
    faults.add(fault.answer(200, body, headers={"Content-Type": "application/json"}), *TAGS)

    assert await list_tags(repository) == tags
    assert faulty.requests.count(*TAGS) == 2


@pytest.mark.parametrize("limit", [100, 50])
async def test_a_page_that_is_too_large_is_asked_for_smaller(faults, repository, limit):

    async def refuse(app, scope, receive, send):
        if int(parse_qs(scope["query_string"].decode())["n"][0]) <= limit:
            await app(scope, receive, send)
        else:
            await fault.answer(413, b"max is 100")(app, scope, receive, send)

    faults.add(refuse, *TAGS)
    faults.add(listing(NAMES), *TAGS)

    assert await list_tags(repository) == NAMES


async def test_what_is_no_tag_is_left_out_and_counted_once(faults, client, repository):
    entries = ["good", None, 7, "", "bad tag", f"sha256:{'0' * 64}", "x" * 129, "good", "fine"]
    body = json.dumps({"tags": entries}).encode()
    faults.add(fault.answer(200, body, headers={"Content-Type": "application/json"}), *TAGS)

    assert await list_tags(repository) == ["good", "fine"]
    assert client.heard.warnings == [f"{repository.name}: 6 of what it lists are no tags"]


@pytest.mark.parametrize(
    "body", [b'{"tags":null}', b'{"name":"team/app"}', b'{"tags":"no"}', b"{}"]
)
async def test_a_list_of_nothing_is_empty(faults, repository, body):
    faults.add(fault.answer(200, body, headers={"Content-Type": "application/json"}), *TAGS)

    assert await list_tags(repository) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"<html>", b'{"tags":[],"tags":[]}'])
async def test_what_is_no_list_is_no_answer_of_a_registry(faults, repository, body):
    faults.add(fault.answer(200, body), *TAGS)

    with pytest.raises(NotARegistry):
        await list_tags(repository)


async def test_a_page_that_links_to_itself_is_an_error(faults, repository):
    faults.add(fault.set_header("Link", '</v2/team/app/tags/list?n=100&last=v0099>; rel="next"'))
    faults.add(listing(NAMES), *TAGS)
    got = []

    with pytest.raises(RegistryError, match="again and again"):
        await list_tags(repository, into=got)

    assert got == NAMES[:200]


async def test_pages_without_end_are_an_error(monkeypatch, faults, repository):
    monkeypatch.setattr(pagination, "MAX_PAGES", 20)
    pages = iter(range(1000))

    async def next_page(app, scope, receive, send):
        link = f'</v2/team/app/tags/list?page={next(pages)}>; rel="next"'
        headers = {"Content-Type": "application/json", "Link": link}
        await fault.answer(200, b'{"tags":[]}', headers=headers)(app, scope, receive, send)

    faults.add(next_page, *TAGS)

    with pytest.raises(RegistryError, match="more than 20 pages"):
        await list_tags(repository)


async def test_names_without_end_are_an_error(monkeypatch, faults, repository):
    monkeypatch.setattr(pagination, "MAX_NAMES", 120)
    faults.add(listing(NAMES), *TAGS)

    with pytest.raises(RegistryError, match="more than 120 names"):
        await list_tags(repository)


async def test_an_error_in_the_middle_leaves_what_came_before(faults, client, repository):
    faults.add(fault.answer(500), "GET", "last=v0099")
    faults.add(listing(NAMES), *TAGS)
    got = []

    with pytest.raises(RegistryUnavailable):
        await list_tags(repository, into=got)

    assert got == NAMES[:100]


async def test_a_listing_waits_in_the_middle_and_goes_on_there(faults, client, repository):
    faults.add(fault.answer(429, headers={"Retry-After": "3"}), "GET", "last=v0099", times=1)
    faults.add(listing(NAMES), *TAGS)

    assert await list_tags(repository) == NAMES
    assert client.patience.slept == [3.5]


async def test_the_catalogue_lists_every_repository(open_client, faulty):
    for number in range(120):
        store_image(faulty.storage, f"team/app{number:03}", "v1")

    pages = [page async for page in open_client(faulty.host).registry.list_repositories()]

    assert [path for page in pages for path in page] == [f"team/app{n:03}" for n in range(120)]


async def test_the_catalogue_of_distribution_is_read_to_its_end(
    open_client, distribution3, repository_path
):
    client = open_client(distribution3.host)
    expected = [f"{repository_path}/{number}" for number in range(3)]
    for path in expected:
        await push_image(client.registry.repository(path))

    found = [path async for page in client.registry.list_repositories() for path in page]

    assert set(expected) <= set(found)


async def test_a_catalogue_that_wants_smaller_pages_gets_them(faults, client):
    names = [f"team/app{number:03}" for number in range(120)]
    refusal = fault.answer(400, fault.error_body("PAGINATION_NUMBER_INVALID"))
    faults.add(refusal, "GET", "n=1000")
    faults.add(listing(names, key="repositories"), *CATALOGUE)

    found = [path async for page in client.registry.list_repositories() for path in page]

    assert found == names


async def test_a_catalogue_that_is_closed_says_so(faults, client):
    faults.add(fault.answer(400, fault.error_body("UNSUPPORTED")), *CATALOGUE)

    with pytest.raises(Rejected, match="UNSUPPORTED"):
        _ = [page async for page in client.registry.list_repositories()]


async def test_names_that_no_repository_can_have_are_left_out(faults, client):
    faults.add(listing(["UPPER", "good/one"], key="repositories"), *CATALOGUE)

    found = [path async for page in client.registry.list_repositories() for path in page]

    assert found == ["good/one"]
    assert len(client.heard.warnings) == 1


async def test_a_missing_repository_is_not_an_empty_one(repository):
    with pytest.raises(NotFound):
        await list_tags(repository)
