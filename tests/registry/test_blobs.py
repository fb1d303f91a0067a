"""How blobs are read when things go wrong."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import ContentMismatch, RegistryUnavailable
from replicator.events import RequestKind
from replicator.oci.descriptor import Descriptor
from replicator.oci.media_types import OCTET_STREAM
from replicator.registry.bandwidth import BandwidthHours
from replicator.registry.settings import Timeouts
from tests.registry.clients import read
from tests.support import faults as fault
from tests.support.embedded import random_bytes, store_blob

BLOB = "GET", "/blobs/"
SIZE = 1_000_000
CONTENT = random_bytes("a blob", SIZE)


@pytest.fixture
def blob(faulty):
    return store_blob(faulty.storage, "team/app", CONTENT)


@pytest.fixture
def client(open_client, faulty):
    return open_client(faulty.host)


async def read_blob(repository, blob, *, into=None):
    """Read a blob; what was handed out before an error is in *into*."""
    got = bytearray() if into is None else into
    async with repository.read_blob(blob) as pieces:
        async for piece in pieces:
            got += piece
    return bytes(got)


@pytest.mark.parametrize("after", [1, 10_000, SIZE // 2, SIZE - 1])
async def test_a_read_that_breaks_goes_on_where_it_stopped(faults, faulty, repository, blob, after):
    faults.add(fault.cut_body(after), *BLOB, nth=1)
    got = []

    async def look(app, scope, receive, send):
        got.append(dict(scope["headers"]).get(b"range"))
        await app(scope, receive, send)

    faults.add(look, *BLOB)

    assert await read_blob(repository, blob) == CONTENT
    assert got == [None, f"bytes={after}-".encode()]


async def test_a_read_may_break_any_number_of_times_while_it_gets_on(
    faults, client, repository, blob
):
    faults.add(fault.cut_body(60_000), *BLOB)

    assert await read_blob(repository, blob) == CONTENT

    assert client.heard.requests[RequestKind.BLOB_GET] == 17


async def test_a_read_that_does_not_get_on_is_given_up(faults, client, repository, blob):
    async def cut_earlier(app, scope, receive, send):
        await fault.cut_body(0 if broken.hits > 1 else SIZE // 2)(app, scope, receive, send)

    broken = faults.add(cut_earlier, *BLOB)
    got = bytearray()

    with pytest.raises(RegistryUnavailable):
        await read_blob(repository, blob, into=got)

    assert got == CONTENT[: SIZE // 2]
    assert client.heard.requests[RequestKind.BLOB_GET] == 6


async def test_a_registry_without_ranges_sends_all_again_and_nothing_is_handed_out_twice(
    faults, client, repository, blob
):
    faults.add(fault.ignore_range(), *BLOB)
    faults.add(fault.cut_body(SIZE // 2), *BLOB, nth=1)

    assert await read_blob(repository, blob) == CONTENT

    assert client.heard.requests[RequestKind.BLOB_GET] == 2


@pytest.mark.parametrize(
    "range_",
    [
        "bytes 0-999999/1000000",
        f"bytes {SIZE // 2 + 1}-999999/1000000",
        f"bytes {SIZE // 2}-999999/1000001",
        "bytes */1000000",
        "nonsense",
        None,
    ],
)
async def test_a_part_that_begins_elsewhere_is_never_spliced_in(faults, repository, blob, range_):
    faults.add(fault.set_header("Content-Range", range_), *BLOB, nth=2)
    faults.add(fault.cut_body(SIZE // 2), *BLOB, nth=1)

    assert await read_blob(repository, blob) == CONTENT


async def test_416_means_to_begin_anew(faults, repository, blob):
    faults.add(fault.answer(416, headers={"Content-Length": "0"}), *BLOB, nth=2)
    faults.add(fault.cut_body(SIZE // 2), *BLOB, nth=1)

    assert await read_blob(repository, blob) == CONTENT


@pytest.mark.parametrize("at", [0, SIZE // 2, SIZE - 1])
async def test_a_blob_with_a_wrong_byte_is_never_handed_out_whole(faults, repository, blob, at):
    faults.add(fault.flip_byte(at), *BLOB)
    got = bytearray()

    with pytest.raises(ContentMismatch, match="digest"):
        await read_blob(repository, blob, into=got)

    assert len(got) < SIZE


@pytest.mark.parametrize("edit", [lambda body: body[:-1], lambda body: body + b"!"])
async def test_a_blob_of_another_size_is_refused(faults, repository, blob, edit):
    faults.add(fault.edit_body(edit), *BLOB)
    got = bytearray()

    with pytest.raises(ContentMismatch, match="1000000"):
        await read_blob(repository, blob, into=got)

    assert len(got) < SIZE


async def test_a_blob_without_end_is_cut_at_its_size(faults, repository, blob):
    faults.add(fault.endless_body(), *BLOB)
    got = bytearray()

    with pytest.raises(ContentMismatch):
        await read_blob(repository, blob, into=got)

    assert len(got) < SIZE


async def test_a_wrong_size_in_the_manifest_is_a_mismatch(repository, blob):
    for size in (SIZE - 1, SIZE + 1):
        wrong = Descriptor(OCTET_STREAM, blob.digest, size)
        with pytest.raises(ContentMismatch):
            await read_blob(repository, wrong)


async def test_a_blob_that_stands_still_is_read_on(open_client, faults, faulty, blob):
    faults.add(fault.hold_body(asyncio.Event(), after=5000), *BLOB, nth=1)
    client = open_client(faulty.host, timeouts=Timeouts(idle=0.2))

    assert await read_blob(client.registry.repository("team/app"), blob) == CONTENT


async def test_a_blob_is_read_from_where_a_redirect_leads_and_without_our_credentials(
    faults, faulty, start_registry, repository, blob
):
    storage = await start_registry(faulty.storage)
    faults.add(fault.redirect(storage.url), *BLOB)

    assert await read_blob(repository, blob) == CONTENT

    assert len(storage.requests) == 1


async def test_the_storage_that_fails_is_asked_by_way_of_the_registry_again(
    faults, faulty, start_registry, repository, blob
):
    other = fault.Faults()
    storage = await start_registry(faulty.storage, wrap=other)
    faults.add(fault.redirect(storage.url), *BLOB)
    other.add(fault.answer(503), *BLOB, nth=1)

    assert await read_blob(repository, blob) == CONTENT

    assert faulty.requests.count("GET", "/blobs/") == 2


async def test_a_reader_that_stops_early_gives_its_place_back(open_client, faulty, blob):
    client = open_client(faulty.host, max_blobs=1, max_concurrency=2)
    repository = client.registry.repository("team/app")
    async with repository.read_blob(blob) as pieces:
        await anext(pieces)

    async with repository.read_blob(blob) as pieces:
        assert await read(pieces) == CONTENT


async def test_no_more_blobs_are_read_at_once_than_allowed(open_client, faulty, blob):
    client = open_client(faulty.host, max_blobs=2)
    repository = client.registry.repository("team/app")
    under_way, most = 0, 0

    async def read_counted():
        nonlocal under_way, most
        async with repository.read_blob(blob) as pieces:
            under_way += 1
            most = max(most, under_way)
            await read(pieces)
            under_way -= 1

    await asyncio.gather(*(read_counted() for _ in range(8)))

    assert most == 2


async def test_bandwidth_is_limited(open_client, faulty, blob):
    client = open_client(faulty.host, bandwidth=(BandwidthHours(100_000),))

    await read_blob(client.registry.repository("team/app"), blob)

    # A million bytes at a hundred thousand a second, of which a quarter of a second is free.
    assert sum(client.patience.slept) == pytest.approx(9.75)
