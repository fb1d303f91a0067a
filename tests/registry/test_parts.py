"""How large blobs are read over long links: in parts, and over short ones as ever."""

from __future__ import annotations

import pytest

from replicator.errors import ContentMismatch
from replicator.events import RequestKind
from replicator.registry.parts import LEAST, PART
from tests.support import faults as fault
from tests.support.embedded import random_bytes, store_blob

BLOB = "GET", "/blobs/"
PARTS = LEAST // PART + 1
CONTENT = random_bytes("a large blob", LEAST + 1000)


@pytest.fixture
def blob(faulty):
    return store_blob(faulty.storage, "team/app", CONTENT)


@pytest.fixture
def far(open_client, faulty):
    """Open a client for which each answer, and each part of a blob, takes 50 ms."""
    client = open_client(faulty.host)
    client.patience.look = 0.05
    return client


@pytest.fixture
def ranges(faults):
    """What was asked for, in the order in which it came."""
    seen = []

    async def look(app, scope, receive, send):
        seen.append(dict(scope["headers"]).get(b"range", b"").decode())
        await app(scope, receive, send)

    faults.add(look, *BLOB)
    return seen


async def read_blob(client, blob, *, into=None):
    """Ask for something small, as it shows how far away the registry is; then read the blob."""
    repository = client.registry.repository("team/app")
    await repository.has_blob(blob)
    got = bytearray() if into is None else into
    async with repository.read_blob(blob) as pieces:
        async for piece in pieces:
            got += piece
    return got


async def test_from_afar_each_part_is_asked_for_once(far, blob, ranges):

    assert await read_blob(far, blob) == CONTENT
    assert ranges[0] == f"bytes=0-{PART - 1}"
    assert len(ranges) == len(set(ranges)) == PARTS


async def test_from_nearby_there_is_one_request_for_all(open_client, faulty, blob, ranges):
    assert await read_blob(open_client(faulty.host), blob) == CONTENT
    assert ranges == [""]


@pytest.mark.parametrize("after", [0, PART // 2])
async def test_what_follows_a_part_that_breaks_is_read_in_the_usual_way(
    far, blob, faults, ranges, after
):
    faults.add(fault.cut_body(after), *BLOB, nth=4)

    assert await read_blob(far, blob) == CONTENT
    assert ranges[-1].endswith("-")


async def test_a_registry_without_ranges_is_asked_for_one_only_once(far, blob, faults, ranges):
    faults.add(fault.ignore_range(), *BLOB)

    assert await read_blob(far, blob) == CONTENT
    assert await read_blob(far, blob) == CONTENT
    assert ranges == [f"bytes=0-{PART - 1}", "", ""]


async def test_wrong_bytes_in_a_part_are_noticed_before_the_last_is_handed_out(far, blob, faults):
    faults.add(fault.flip_byte(5), *BLOB, nth=3)
    got = bytearray()

    with pytest.raises(ContentMismatch):
        await read_blob(far, blob, into=got)

    assert len(got) < len(CONTENT)


async def test_a_reader_that_leaves_leaves_no_place_taken(far, blob):
    repository = far.registry.repository("team/app")
    await repository.has_blob(blob)
    async with repository.read_blob(blob) as pieces:
        for _ in range(3):
            await anext(pieces)

    before = far.heard.requests[RequestKind.BLOB_GET]
    assert await read_blob(far, blob) == CONTENT
    assert far.heard.requests[RequestKind.BLOB_GET] == before + PARTS


async def test_where_no_place_is_to_spare_there_is_one_request_for_all(
    open_client, faulty, blob, ranges
):
    client = open_client(faulty.host, max_blobs=1)
    client.patience.look = 0.05

    assert await read_blob(client, blob) == CONTENT
    assert ranges == [""]
