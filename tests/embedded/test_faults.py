"""Each fault does to an answer what its name says, and to no other answer."""

from __future__ import annotations

import asyncio
import hashlib

import httpx
import pytest

from replicator.embedded.server import EmbeddedRegistry
from tests.support.embedded import random_bytes, store_blob, store_image
from tests.support.faults import (
    Faults,
    answer,
    cut_body,
    edit_body,
    edit_header,
    endless_body,
    error_body,
    flip_byte,
    gzip_body,
    hang_up,
    hang_up_after,
    hang_up_while_receiving,
    hold,
    hold_body,
    ignore_range,
    redirect,
    set_header,
    set_status,
)

CONTENT = random_bytes("blob", 600_000)
TAGS = "/v2/team/app/tags/list"
MANIFEST = "/v2/team/app/manifests/v1"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def registry(faults, start_registry) -> EmbeddedRegistry:
    registry = await start_registry(wrap=faults)
    store_image(registry.storage, "team/app", "v1")
    return registry


@pytest.fixture
def blob(registry) -> str:
    return f"/v2/team/app/blobs/{store_blob(registry.storage, 'team/app', CONTENT).digest}"


async def statuses(http, path: str, count: int) -> list[int]:
    return [(await http.get(path)).status_code for _ in range(count)]


async def test_a_rule_acts_on_its_method_and_target_alone(faults, http):
    rule = faults.add(answer(500), "GET", r"/tags/list\?n=1$")

    assert (await http.get(f"{TAGS}?n=1")).status_code == 500
    assert (await http.get(f"{TAGS}?n=2")).status_code == 200
    assert (await http.head(f"{TAGS}?n=1")).status_code == 200
    assert rule.hits == 1


async def test_a_rule_may_act_on_the_nth_request_or_the_first_few(faults, http):
    nth = faults.add(answer(500), "GET", TAGS, nth=3)
    first = faults.add(answer(503), "GET", MANIFEST, times=2)

    assert await statuses(http, TAGS, 4) == [200, 200, 500, 200]
    assert await statuses(http, MANIFEST, 3) == [503, 503, 200]
    assert (nth.hits, first.hits) == (1, 2)


async def test_rules_act_together_and_end_together(faults, http):
    faults.add(set_header("A", "1"))
    faults.add(edit_header("A", lambda old: f"{old}2"))

    both = await http.get(TAGS)
    faults.clear()
    neither = await http.get(TAGS)

    assert both.headers["A"] == "1"
    assert "A" not in neither.headers


async def test_an_answer_is_given_as_it_is(faults, http, registry):
    faults.add(answer(429, error_body("TOOMANYREQUESTS"), headers={"Retry-After": "7"}))

    got = await http.get(TAGS)

    assert (got.status_code, got.headers["Retry-After"]) == (429, "7")
    assert got.json()["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert registry.requests.count("GET", TAGS, status=429) == 1


async def test_the_connection_is_closed_before_or_after_the_application(faults, http, registry):
    faults.add(hang_up(), "DELETE", times=1)
    faults.add(hang_up_after(), "DELETE")

    with pytest.raises(httpx.TransportError):
        await http.delete(MANIFEST)
    assert registry.storage.tags("team/app") == ["v1"]

    with pytest.raises(httpx.TransportError):
        await http.delete(MANIFEST)
    assert registry.storage.tags("team/app") == []
    assert registry.requests.count("DELETE", status=0) == 2


@pytest.mark.parametrize("after", [0, 1, 300_000, len(CONTENT) - 1])
async def test_a_body_is_cut_to_the_byte(faults, http, blob, after):
    faults.add(cut_body(after), "GET", "/blobs/")
    received = bytearray()

    with pytest.raises(httpx.RemoteProtocolError):
        await read_into(received, http, blob)

    assert received == CONTENT[:after]


async def read_into(received: bytearray, http: httpx.AsyncClient, path: str) -> None:
    async with http.stream("GET", path) as got:
        async for piece in got.aiter_raw():
            received += piece


@pytest.mark.parametrize("at", [0, 300_000, len(CONTENT) - 1])
async def test_one_byte_is_changed(faults, http, blob, at):
    faults.add(flip_byte(at), "GET", "/blobs/")

    got = (await http.get(blob)).content

    assert [n for n in range(len(CONTENT)) if got[n] != CONTENT[n]] == [at]


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("", ""), ("other", "other")])
async def test_a_header_is_replaced_emptied_or_taken_away(faults, http, value, expected):
    faults.add(set_header("docker-content-digest", value), "HEAD")

    got = await http.head(MANIFEST)

    assert got.headers.get("Docker-Content-Digest") == expected


async def test_a_status_is_changed(faults, http):
    faults.add(set_status(201), "POST")

    got = await http.post("/v2/team/app/blobs/uploads/")

    assert got.status_code == 201
    assert got.headers["Location"].startswith("/v2/team/app/blobs/uploads/")


async def test_a_body_is_edited_with_its_length(faults, http):
    faults.add(edit_body(lambda body: body[:-1]), "GET", TAGS)

    got = await http.get(TAGS)

    assert got.text == '{"name":"team/app","tags":["v1"]'
    assert got.headers["Content-Length"] == str(len(got.text))


async def test_a_body_is_compressed(faults, http):
    faults.add(gzip_body(), "GET", TAGS)

    got = await http.get(TAGS)

    assert got.headers["Content-Encoding"] == "gzip"
    assert got.json()["tags"] == ["v1"]


async def test_a_range_is_ignored(faults, http, blob):
    faults.add(ignore_range(), "GET", "/blobs/")

    got = await http.get(blob, headers={"Range": "bytes=10-19"})

    assert (got.status_code, got.content) == (200, CONTENT)


async def test_a_redirect_leads_to_the_same_target_elsewhere(faults, http):
    faults.add(redirect("http://storage.example.com"))

    got = await http.get(f"{TAGS}?n=1")

    assert got.status_code == 307
    assert got.headers["Location"] == f"http://storage.example.com{TAGS}?n=1"


async def test_an_endless_body_ends_with_its_reader(faults, http):
    faults.add(endless_body(), times=1)

    async with http.stream("GET", TAGS) as got:
        received = 0
        async for piece in got.aiter_raw():
            received += len(piece)
            if received > 1_000_000:
                break

    assert await statuses(http, TAGS, 1) == [200]


async def test_a_held_request_waits_for_its_gate(faults, http, registry):
    gate = asyncio.Event()
    faults.add(hold(gate), "GET", TAGS)

    async with asyncio.TaskGroup() as group:
        held = group.create_task(http.get(TAGS))
        await http.get(MANIFEST)
        assert not held.done()
        gate.set()

    assert held.result().status_code == 200
    assert [entry.target for entry in registry.requests] == [MANIFEST, TAGS]


@pytest.mark.parametrize("after", [0, 1, 400_000])
async def test_a_held_body_stops_at_its_byte_until_the_gate_opens(faults, http, blob, after):
    gate = asyncio.Event()
    faults.add(hold_body(gate, after=after), "GET", "/blobs/")
    received = bytearray()

    async with asyncio.timeout(10), http.stream("GET", blob) as got:
        pieces = got.aiter_raw()
        while len(received) < after:
            received += await anext(pieces)
        assert received == CONTENT[:after]
        gate.set()
        async for piece in pieces:
            received += piece

    assert received == CONTENT


@pytest.mark.parametrize("size", [0, 1, 99])
async def test_a_body_smaller_than_what_may_be_received_arrives_whole(faults, http, size):
    faults.add(hang_up_while_receiving(100), "PUT")
    content = CONTENT[:size]
    location = (await http.post("/v2/team/app/blobs/uploads/")).headers["Location"]
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"

    async with asyncio.timeout(10):
        done = await http.put(f"{location}&digest={digest}", content=content)
    stored = await http.get(f"/v2/team/app/blobs/{digest}")

    assert (done.status_code, stored.content) == (201, content)


@pytest.mark.parametrize("size", [100, 101, 200_000])
async def test_of_a_larger_body_so_much_is_received_and_no_more(faults, http, size):
    faults.add(hang_up_while_receiving(100), "PATCH")
    location = (await http.post("/v2/team/app/blobs/uploads/")).headers["Location"]

    with pytest.raises(httpx.TransportError):
        await http.patch(location, content=CONTENT[:size])
    status = await http.get(location)

    assert status.headers["Range"] == "0-99"
