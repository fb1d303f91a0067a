"""Reading blobs, whole and in part, and deleting them."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.embedded.ranges import asked_range, sent_range
from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.storage import PIECE_SIZE
from replicator.oci.digest import Digest
from tests.support.embedded import random_bytes, store_blob

CONTENT = random_bytes("blob", 2 * PIECE_SIZE + 1000)
SIZE = len(CONTENT)
PATH = f"/v2/team/app/blobs/{Digest.of(CONTENT)}"


@pytest.fixture(autouse=True)
def blob(storage):
    return store_blob(storage, "team/app", CONTENT)


async def test_head_tells_size_and_digest_without_a_body(http, blob):
    answer = await http.head(PATH)

    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Docker-Content-Digest"] == str(blob.digest)
    assert answer.content == b""


async def test_get_gives_the_bytes(http):
    answer = await http.get(PATH)

    assert answer.status_code == 200
    assert answer.content == CONTENT


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=10-19", 10, 20),
        ("bytes=990-", 990, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        (f"bytes=5-{SIZE * 2}", 5, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
    ],
)
async def test_a_range_gives_a_part(http, asked, start, stop):
    answer = await http.get(PATH, headers={"Range": asked})

    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.content == CONTENT[start:stop]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=20-10", "bytes=-0"])
async def test_a_range_without_bytes_is_refused(http, asked):
    answer = await http.get(PATH, headers={"Range": asked})

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "nonsense"])
async def test_a_range_that_is_not_understood_is_ignored(http, asked):
    answer = await http.get(PATH, headers={"Range": asked})

    assert answer.status_code == 200
    assert answer.content == CONTENT


async def test_a_missing_blob_is_named_by_the_error(http):
    missing = Digest.of(b"never pushed")

    answer = await http.get(f"/v2/team/app/blobs/{missing}")

    error = {
        "code": "BLOB_UNKNOWN",
        "message": "blob unknown to the repository",
        "detail": {"digest": str(missing)},
    }
    assert (answer.status_code, answer.json()) == (404, {"errors": [error]})


async def test_a_blob_of_another_repository_is_not_there(http):
    answer = await http.head(PATH.replace("team/app", "team/other"))

    assert answer.status_code == 404


@pytest.mark.parametrize("digest", ["sha256:abc", f"md5:{'0' * 32}", f"sha256:{'A' * 64}", "abc"])
async def test_what_is_no_digest_is_refused(http, digest):
    answer = await http.get(f"/v2/team/app/blobs/{digest}")

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")


async def test_a_deleted_blob_is_gone(http):
    first, second = await http.delete(PATH), await http.delete(PATH)

    assert (first.status_code, second.status_code) == (202, 404)
    assert (await http.head(PATH)).status_code == 404


async def test_a_client_that_leaves_in_the_middle_harms_nobody(http, registry: EmbeddedRegistry):
    async with (
        httpx.AsyncClient(base_url=registry.url) as leaving,
        leaving.stream("GET", PATH) as answer,
    ):
        await anext(answer.aiter_raw())

    assert (await http.get(PATH)).content == CONTENT


@given(st.text() | st.from_regex(r"bytes=\d{0,20}-\d{0,20}"), st.integers(0, 1 << 40))
def test_a_range_that_is_asked_for_lies_within_the_blob_or_is_empty(header, size):
    match asked_range(header, size):
        case (start, stop):
            assert start == stop or 0 <= start < stop <= size


@given(st.integers(0, 1 << 50), st.integers(1, 1 << 50))
def test_the_range_of_a_chunk_is_read_as_it_is_written(start, length):
    assert sent_range(f"{start}-{start + length - 1}") == (start, start + length)


@given(st.text())
def test_no_text_breaks_the_reading_of_a_chunks_range(text):
    assert sent_range(text) is None or "-" in text
