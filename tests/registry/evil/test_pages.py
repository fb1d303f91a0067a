"""S-06: where the next page of a listing may be, and how many there may be."""

from __future__ import annotations

import itertools
import json

import httpx
import pytest

from replicator.errors import ReplicatorError
from tests.registry.evil.servers import Answer


async def tags(registry) -> list[str]:
    return [tag async for page in registry.repository("a/b").list_tags() for tag in page]


def page(*names: str, link: str = "") -> Answer:
    body = json.dumps({"name": "a/b", "tags": names})
    headers = (("Content-Type", "application/json"),)
    if link:
        headers += (("Link", link),)
    return Answer(headers=headers, body=body.encode())


@pytest.mark.parametrize(
    "link",
    [
        '<{hole}/v2/a/b/tags/list?last=x>; rel="next"',
        '<//{host}/v2/a/b/tags/list?last=x>; rel="next"',
        "<{hole}/?last=x>; rel=next",
        '</v2/secret/repository/tags/list?last=x>; rel="next"',
        '</token?last=x>; rel="next"',
    ],
)
async def test_the_next_page_is_where_the_first_one_was(evil, hole, connect, link):
    link = link.format(hole=hole.url, host=hole.url.removeprefix("http://"))
    evil.behave = lambda request: (
        page("two") if "last=x" in request.target else page("one", link=link)
    )

    assert await tags(connect(None)) == ["one", "two"]

    assert {request.path for request in evil.requests} == {"/v2/a/b/tags/list"}
    assert hole.saw_nothing()


@pytest.mark.parametrize(
    "link",
    [
        '<http://user:pass@{host}/?last=x>; rel="next"',
        '<{hole}\\\\?last=x>; rel="next"',
        '<{hole}/?last=x y>; rel="next"',
        '<http:{host}?last=x>; rel="next"',
    ],
)
async def test_an_odd_link_leads_nowhere(evil, hole, connect, link):
    link = link.format(hole=hole.url, host=hole.url.removeprefix("http://"))
    evil.behave = lambda request: page("one", link=link)

    with pytest.raises(ReplicatorError):
        await tags(connect(None))

    assert hole.saw_nothing()


async def test_a_page_that_names_itself_ends_the_listing_as_incomplete(evil, connect):
    evil.behave = lambda request: page("one", link='<?last=one>; rel="next"')

    with pytest.raises(ReplicatorError, match="not complete"):
        await tags(connect(None))

    assert len(evil.requests) <= 3


async def test_pages_without_end_come_to_an_end(evil, connect):
    numbers = itertools.count()

    def behave(request: httpx.Request) -> httpx.Response:
        number = next(numbers)
        link = {"Link": f'<?last={number}>; rel="next"'}
        return httpx.Response(200, headers=link, json={"name": "a/b", "tags": [f"t{number}"]})

    # In memory, because of their number.
    registry = connect(None, transport=httpx.MockTransport(behave))

    with pytest.raises(ReplicatorError, match=r"10000 pages.*not complete"):
        await tags(registry)

    assert next(numbers) <= 10_001
