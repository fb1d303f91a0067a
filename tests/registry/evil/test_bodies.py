"""S-13 … S-15, S-19: bodies that are too large, too long, compressed, or made to confuse."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable

import pytest

from replicator.errors import ReplicatorError
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from tests.registry.evil.servers import Answer, Request

TAG = Tag("latest")
INDEX = "application/vnd.oci.image.index.v1+json"
BLOB = Descriptor("application/octet-stream", Digest.of(b"blob"), 4)
# In bytes: the largest page of a listing, and what fits into the buffers of both sides.
MOST_SENT = 16 * 1024 * 1024 + 16 * 1024 * 1024


def endless(piece: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield piece
            await asyncio.sleep(0)

    return body


async def manifest(registry) -> None:
    await registry.repository("a/b").get_manifest(TAG)


async def manifest_by_digest(registry) -> None:
    await registry.repository("a/b").get_manifest(Digest.of(b"x"))


async def resolve(registry) -> None:
    await registry.repository("a/b").resolve(TAG)


async def tags(registry) -> None:
    async for _ in registry.repository("a/b").list_tags():
        pass


async def catalogue(registry) -> None:
    async for _ in registry.list_repositories():
        pass


async def referrers(registry) -> None:
    await registry.repository("a/b").list_referrers(Digest.of(b"x"))


async def blob(registry) -> None:
    async with registry.repository("a/b").read_blob(BLOB) as pieces:
        async for _ in pieces:
            pass


async def ping(registry) -> None:
    await registry.ping()


READS = [manifest, manifest_by_digest, tags, catalogue, referrers, blob]


@pytest.mark.parametrize("action", READS)
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_of_a_body_without_end_no_more_is_read_than_is_allowed(evil, connect, action, status):
    evil.behave = lambda request: Answer(
        status, (("Content-Type", INDEX),), endless(b'{"x":"' + b"x" * 16_000)
    )

    with pytest.raises(ReplicatorError):
        await action(connect(None))

    assert evil.most_sent < MOST_SENT


@pytest.mark.parametrize("action", [*READS, resolve, ping])
async def test_a_head_without_end_is_cut_off(evil, connect, action):
    async def head() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X-Evil: " + b"x" * 1000 + b"\r\n"
            await asyncio.sleep(0)

    evil.behave = lambda request: Answer(0, body=head)

    with pytest.raises(ReplicatorError):
        await action(connect(None))

    assert evil.most_sent < MOST_SENT


@pytest.mark.parametrize("action", [*READS, resolve, ping])
async def test_so_are_early_answers_without_end(evil, connect, action):
    evil.behave = lambda request: Answer(0, body=endless(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100))

    with pytest.raises(ReplicatorError):
        await action(connect(None))

    assert evil.most_sent < MOST_SENT


@pytest.mark.parametrize("action", READS)
async def test_nothing_is_decompressed(evil, connect, action):
    bomb = gzip.compress(gzip.compress(b"\0" * 5_000_000))
    evil.behave = lambda request: Answer(
        headers=(("Content-Type", INDEX), ("Content-Encoding", "gzip")), body=bomb
    )

    with pytest.raises(ReplicatorError):
        await action(connect(None))

    assert {request.header("accept-encoding") for request in evil.requests} == {"identity"}


@pytest.mark.parametrize(
    "body",
    [
        b"blo",
        b"blobs",
        b"bl0b",
        b"",
    ],
)
async def test_a_blob_of_other_bytes_is_never_whole(evil, connect, body):
    evil.behave = lambda request: Answer(body=body)
    received = bytearray()

    async def read() -> None:
        async with connect(None).repository("a/b").read_blob(BLOB) as pieces:
            async for piece in pieces:
                received.extend(piece)

    with pytest.raises(ReplicatorError):
        await read()

    assert len(received) < BLOB.size


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"tags":' * 50_000,
        b'{"tags":["a"],"tags":["b"]}',
        b'{"tags":[NaN]}',
        b'{"n":99999999999999999999,"tags":[]}',
        b'{"n":' + b"9" * 100_000 + b',"tags":[]}',
        b'{"tags":["\\ud800"]}',
        b'\xef\xbb\xbf{"tags":[]}',
        b'{"tags":[]}{"tags":[]}',
        b'{"tags":["\xff"]}',
        b"<!DOCTYPE html><title>Log in</title>",
    ],
)
@pytest.mark.parametrize("action", [tags, catalogue])
async def test_json_that_is_read_differently_by_others_is_not_read_at_all(
    evil, connect, action, body
):
    evil.behave = lambda request: Answer(headers=(("Content-Type", "application/json"),), body=body)

    with pytest.raises(ReplicatorError):
        await action(connect(None))


@pytest.mark.parametrize(
    "message",
    [
        "first\nsecond line",
        "\x1b[31mred\x1b[0m",
        "\r\x00\x07\x9b",
        "x" * 100_000,
        "‮gnp.exe",
    ],
)
@pytest.mark.parametrize("action", READS)
async def test_what_a_registry_says_stays_on_one_short_line(evil, connect, action, message):
    def behave(request: Request) -> Answer:
        errors = [{"code": message, "message": message, "detail": message}]
        return Answer(400, body=json.dumps({"errors": errors}).encode())

    evil.behave = behave
    with pytest.raises(ReplicatorError) as failure:
        await action(connect(None))

    text = str(failure.value)
    assert text.isprintable()
    assert len(text) < 1000
