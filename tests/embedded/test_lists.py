"""Listing tags and repositories, page by page."""

from __future__ import annotations

import pytest

from replicator.embedded.lists import MAX_PAGE
from tests.support.embedded import store_blob, store_image

TAGS = ["10", "9", "B", "_x", "a", "b", "v1.10", "v1.9"]


@pytest.fixture
def tags(storage) -> list[str]:
    for tag in reversed(TAGS):
        store_image(storage, "team/app", tag)
    return TAGS


async def read_pages(http, path: str, key: str) -> list[list[str]]:
    pages = []
    while path:
        answer = await http.get(path)
        pages.append(answer.json()[key])
        path = answer.links.get("next", {}).get("url", "")
    return pages


async def test_tags_are_listed_in_order(http, tags):
    answer = await http.get("/v2/team/app/tags/list")

    assert answer.json() == {"name": "team/app", "tags": tags}
    assert "Link" not in answer.headers


@pytest.mark.parametrize("size", [1, 3, 4, 8, 100])
async def test_pages_follow_each_other_by_link_and_have_everything_once(http, tags, size):
    pages = await read_pages(http, f"/v2/team/app/tags/list?n={size}", "tags")

    assert [tag for page in pages for tag in page] == tags
    assert all(0 < len(page) <= size for page in pages)


async def test_a_page_never_has_more_than_a_thousand_entries(storage, http):
    image = store_image(storage, "team/app")
    for number in range(MAX_PAGE + 1):
        storage.put_tag("team/app", f"t{number}", image.digest)

    pages = await read_pages(http, "/v2/team/app/tags/list?n=100000", "tags")

    assert [len(page) for page in pages] == [MAX_PAGE, 1]


@pytest.mark.parametrize(("last", "left"), [("a", 3), ("aa", 3), ("zzz", 0), ("", 8)])
async def test_last_need_not_be_a_tag(http, tags, last, left):
    answer = await http.get("/v2/team/app/tags/list", params={"last": last})

    assert answer.json()["tags"] == tags[len(tags) - left :]


async def test_a_page_of_nothing_has_no_next_one(http, tags):
    answer = await http.get("/v2/team/app/tags/list?n=0")

    assert answer.json()["tags"] == []
    assert "Link" not in answer.headers


@pytest.mark.parametrize("size", ["-1", "abc", "", "٣"])
async def test_what_is_no_number_is_refused(http, tags, size):
    answer = await http.get("/v2/team/app/tags/list", params={"n": size})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "PAGINATION_NUMBER_INVALID"


async def test_an_unknown_repository_has_no_tag_list(http):
    answer = await http.get("/v2/team/app/tags/list")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


async def test_a_repository_without_tags_has_an_empty_list(storage, http):
    store_blob(storage, "team/app", b"blob")

    assert (await http.get("/v2/team/app/tags/list")).json()["tags"] == []


async def test_repositories_are_listed_also_those_below_another(storage, http):
    names = ["team", "team/app", "team/app/part", "zoo"]
    for name in names:
        store_image(storage, name, "v1")

    pages = await read_pages(http, "/v2/_catalog?n=3", "repositories")

    assert pages == [names[:3], names[3:]]


async def test_repositories_that_were_only_asked_for_do_not_exist(http):
    await http.get("/v2/team/app/tags/list")
    await http.head("/v2/team/app/manifests/v1")
    await http.post("/v2/team/app/blobs/uploads/?mount=sha256:" + "0" * 64 + "&from=team/base")

    assert (await http.get("/v2/_catalog")).json() == {"repositories": []}
