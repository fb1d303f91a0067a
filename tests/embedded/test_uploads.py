"""Pushing blobs in every shape that clients use, and going on after a break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from replicator.oci.digest import Digest
from tests.support.embedded import random_bytes, store_blob
from tests.support.faults import Faults, hang_up_while_receiving

CONTENT = random_bytes("blob", 300_000)
DIGEST = Digest.of(CONTENT)


async def start_upload(http: httpx.AsyncClient, repository: str = "team/app", query: str = ""):
    answer = await http.post(f"/v2/{repository}/blobs/uploads/{query}")
    assert answer.status_code == 202
    return answer.headers["Location"]


async def read_back(http: httpx.AsyncClient, repository: str, digest: Digest) -> bytes:
    answer = await http.get(f"/v2/{repository}/blobs/{digest}")
    assert answer.status_code == 200
    return answer.content


async def in_pieces(content: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for offset in range(0, len(content), size):
        yield content[offset : offset + size]


def code_of(answer: httpx.Response) -> str:
    return answer.json()["errors"][0]["code"]


async def test_a_blob_is_pushed_whole(http):
    location = await start_upload(http)

    answer = await http.put(f"{location}&digest={DIGEST}", content=CONTENT)

    assert answer.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == str(DIGEST)
    assert answer.headers["Location"] == f"/v2/team/app/blobs/{DIGEST}"
    assert await read_back(http, "team/app", DIGEST) == CONTENT


async def test_a_blob_is_pushed_by_one_post(http):
    answer = await http.post(f"/v2/team/app/blobs/uploads/?digest={DIGEST}", content=CONTENT)

    assert answer.status_code == 201
    assert await read_back(http, "team/app", DIGEST) == CONTENT


async def test_a_blob_is_streamed_without_saying_its_length(http):
    location = await start_upload(http)

    patched = await http.patch(location, content=in_pieces(CONTENT))
    closed = await http.put(f"{patched.headers['Location']}&digest={DIGEST}")

    assert patched.headers["Range"] == f"0-{len(CONTENT) - 1}"
    assert closed.status_code == 201
    assert await read_back(http, "team/app", DIGEST) == CONTENT


async def test_a_blob_is_pushed_in_chunks_the_last_of_them_in_the_put(http):
    location = await start_upload(http)
    for start in (0, 100_000):
        answer = await http.patch(
            location,
            content=CONTENT[start : start + 100_000],
            headers={"Content-Range": f"{start}-{start + 99_999}"},
        )
        assert answer.status_code == 202
        location = answer.headers["Location"]

    answer = await http.put(
        f"{location}&digest={DIGEST}",
        content=CONTENT[200_000:],
        headers={"Content-Range": f"200000-{len(CONTENT) - 1}"},
    )

    assert answer.status_code == 201
    assert await read_back(http, "team/app", DIGEST) == CONTENT


@pytest.mark.parametrize("chunk", ["50-149", "150-249", "0-99", "bytes 100-199/*", "199-100"])
async def test_a_chunk_out_of_order_is_refused_and_changes_nothing(http, chunk):
    location = await start_upload(http)
    patched = await http.patch(location, content=CONTENT[:100])

    refused = await http.patch(
        patched.headers["Location"], content=CONTENT[:100], headers={"Content-Range": chunk}
    )
    status = await http.get(patched.headers["Location"])

    assert refused.status_code == 416
    assert refused.headers["Range"] == "0-99"
    assert (status.status_code, status.headers["Range"]) == (204, "0-99")


async def test_a_chunk_that_is_not_as_long_as_it_says_is_refused(http):
    location = await start_upload(http)

    answer = await http.patch(location, content=b"abc", headers={"Content-Range": "0-9"})

    assert (answer.status_code, code_of(answer)) == (400, "SIZE_INVALID")


async def test_an_old_location_is_refused_for_more_bytes_but_tells_where_to_go_on(http):
    old = await start_upload(http)
    await http.patch(old, content=CONTENT[:100])

    refused = await http.patch(old, content=CONTENT[100:])
    status = await http.get(old)
    patched = await http.patch(status.headers["Location"], content=CONTENT[100:])

    assert refused.status_code == 416
    assert patched.headers["Range"] == f"0-{len(CONTENT) - 1}"


async def test_a_location_without_its_query_is_refused(http):
    location = await start_upload(http)

    answer = await http.patch(location.partition("?")[0], content=CONTENT)

    assert (answer.status_code, code_of(answer)) == (400, "BLOB_UPLOAD_INVALID")


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_what_a_broken_request_brought_is_kept_and_the_upload_goes_on(
    storage, start_registry, method
):
    faults = Faults()
    faults.add(hang_up_while_receiving(200_000), method, times=1)
    registry = await start_registry(storage, wrap=faults)
    async with httpx.AsyncClient(base_url=registry.url) as http:
        location = await start_upload(http)

        with pytest.raises(httpx.TransportError):
            await http.request(method, f"{location}&digest={DIGEST}", content=in_pieces(CONTENT))
        status = await http.get(location)
        rest = CONTENT[200_000:]
        answer = await http.put(f"{status.headers['Location']}&digest={DIGEST}", content=rest)

        assert status.headers["Range"] == "0-199999"
        assert answer.status_code == 201
        assert await read_back(http, "team/app", DIGEST) == CONTENT


async def test_a_client_that_leaves_in_the_middle_may_come_back_at_once(registry, http):
    location = await start_upload(http)
    host, _, port = registry.host.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"PATCH {location} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(CONTENT)}\r\n"
    writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
    await reader.readuntil(b"100 Continue\r\n\r\n")
    writer.write(CONTENT[:250_000])
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    status = await http.get(location)
    kept = int(status.headers["Range"].removeprefix("0-")) + 1
    answer = await http.put(f"{status.headers['Location']}&digest={DIGEST}", content=CONTENT[kept:])

    assert 1 < kept <= 250_000
    assert answer.status_code == 201
    assert await read_back(http, "team/app", DIGEST) == CONTENT


async def test_a_wrong_digest_is_refused_and_stores_nothing(http):
    location = await start_upload(http)

    answer = await http.put(f"{location}&digest={DIGEST}", content=CONTENT + b"!")
    after = await http.head(f"/v2/team/app/blobs/{DIGEST}")

    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")
    assert after.status_code == 404


async def test_a_put_without_a_digest_is_refused(http):
    location = await start_upload(http)

    answer = await http.put(location, content=CONTENT)

    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("announced", ["", "?digest-algorithm=sha512"])
async def test_a_blob_may_be_named_by_sha512(http, announced):
    digest = Digest.of(CONTENT, "sha512")
    location = await start_upload(http, query=announced)

    patched = await http.patch(location, content=CONTENT)
    closed = await http.put(f"{patched.headers['Location']}&digest={digest}")

    assert closed.status_code == 201
    assert await read_back(http, "team/app", digest) == CONTENT


async def test_an_unknown_digest_algorithm_is_refused(http):
    answer = await http.post("/v2/team/app/blobs/uploads/?digest-algorithm=md5")

    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")


async def test_an_empty_blob_is_a_blob(http):
    location = await start_upload(http)

    answer = await http.put(f"{location}&digest={Digest.of(b'')}")

    assert answer.status_code == 201
    assert await read_back(http, "team/app", Digest.of(b"")) == b""


async def test_a_cancelled_upload_is_gone(http):
    location = await start_upload(http)

    cancelled = await http.delete(location)
    status = await http.get(location)

    assert cancelled.status_code == 204
    assert (status.status_code, code_of(status)) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_an_upload_belongs_to_its_repository(http):
    location = await start_upload(http, "team/app")

    answer = await http.put(
        f"{location.replace('team/app', 'team/other')}&digest={DIGEST}", content=CONTENT
    )

    assert (answer.status_code, code_of(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("origin", ["team/base", "team/app", None])
async def test_a_blob_is_mounted_from_where_it_is(storage, http, origin):
    store_blob(storage, origin or "team/base", CONTENT)
    source = f"&from={origin}" if origin else ""

    answer = await http.post(f"/v2/team/app/blobs/uploads/?mount={DIGEST}{source}")

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v2/team/app/blobs/{DIGEST}"
    assert await read_back(http, "team/app", DIGEST) == CONTENT


async def test_a_mount_of_what_is_not_there_opens_an_upload(http):
    location = await start_upload(http, query=f"?mount={DIGEST}&from=team/base")

    answer = await http.put(f"{location}&digest={DIGEST}", content=CONTENT)

    assert answer.status_code == 201


async def test_a_mounted_blob_outlives_its_origin(storage, http):
    store_blob(storage, "team/base", CONTENT)
    await http.post(f"/v2/team/app/blobs/uploads/?mount={DIGEST}&from=team/base")

    await http.delete(f"/v2/team/base/blobs/{DIGEST}")

    assert await read_back(http, "team/app", DIGEST) == CONTENT


async def test_a_request_that_another_one_overtook_adds_nothing(http):
    location = await start_upload(http)
    first_piece_sent, overtaken = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        first_piece_sent.set()
        await overtaken.wait()
        yield CONTENT[:100]

    async with asyncio.TaskGroup() as group:
        slow = group.create_task(http.patch(location, content=slowly()))
        await first_piece_sent.wait()
        status = await http.get(location)
        overtaken.set()
    later = await http.get(location)

    assert slow.result().status_code == 416
    assert later.headers["Range"] == status.headers["Range"]


async def test_uploads_at_the_same_time_do_not_meet(http):
    contents = [random_bytes(f"blob-{number}", 200_000) for number in range(8)]

    async def push(content: bytes) -> int:
        location = await start_upload(http)
        target = f"{location}&digest={Digest.of(content)}"
        return (await http.put(target, content=in_pieces(content))).status_code

    assert set(await asyncio.gather(*map(push, contents))) == {201}
    for content in contents:
        assert await read_back(http, "team/app", Digest.of(content)) == content
