"""Whatever a server sends for a head, it is understood or refused."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replicator.registry.transport import Http1Transport
from replicator.registry.transport.chunks import ChunkParser
from replicator.registry.transport.heads import MAX_HEAD_SIZE, HeadReader
from tests.registry.transport.requests import fetch, send
from tests.registry.transport.scripted import OK, Peer, serving

lines = st.one_of(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK",
            b"HTTP/1.0 404 ",
            b"HTTP/1.1 100 Continue",
            b"HTTP/1.1 101 Switching",
            b"HTTP/2 200",
            b"Content-Length: 5",
            b"Content-Length: 99999999999999999999999999",
            b"content-length:0",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: identity, chunked",
            b"Connection: upgrade",
            b"Upgrade: h2c",
            b"Connection: close, keep-alive",
            b" folded",
            b"",
            b"5\r\nhello\r\n0",
        ]
    ),
    st.binary(max_size=20),
)
heads = st.lists(lines, max_size=8).map(lambda parts: b"\r\n".join([*parts, b"", b""]))


def parts_of(data: bytes, cuts: list[int]):
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def read(data: bytes, cuts: list[int]):
    """What a reader makes of *data*, received in parts; the text of its error if it has one."""
    reader = HeadReader()
    try:
        for part in parts_of(data, cuts):
            if (head := reader.feed(memoryview(part))) is not None:
                return head
    except httpx.RemoteProtocolError as error:
        return str(error)
    return None


@given(heads | st.binary(max_size=200), st.lists(st.integers(0, 500), max_size=5))
@example(b"\r\n\r\n", [])
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", [])
@example(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", [])
def test_a_head_means_the_same_however_it_is_cut(data, cuts):
    assert read(data, cuts) == read(data, [])


@given(heads | st.binary(max_size=200))
@settings(max_examples=50)
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbad")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n")
def test_no_answer_raises_anything_but_httpx_errors(data):
    async def exchange() -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(data)

        async with serving(script) as server, Http1Transport(max_connections=1) as transport:
            for _ in range(2):
                try:
                    await fetch(transport, server.url)
                except httpx.TransportError:
                    continue

    asyncio.run(exchange())


@given(
    st.lists(st.binary(min_size=1, max_size=50), max_size=5),
    st.lists(st.integers(0, 500), max_size=5),
)
def test_chunks_give_their_content_however_they_are_cut(contents, cuts):
    body = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in contents) + b"0\r\n\r\n"
    parser = ChunkParser()

    content = b"".join([parser.feed(part) for part in parts_of(body, cuts)])

    assert content == b"".join(contents)
    assert parser.complete


async def endlessly(peer: Peer, beginning: bytes, repeated: bytes) -> None:
    await peer.request()
    await peer.send(beginning)
    while True:
        await peer.send(repeated * 100)


@pytest.mark.parametrize(
    ("beginning", "repeated"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"bbbbbbbb"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"", b"\0\0\0\0"),
    ],
)
async def test_a_head_without_end_is_given_up(ours, beginning, repeated):
    async with serving(lambda peer: endlessly(peer, beginning, repeated)) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(ours, server.url)


@pytest.mark.parametrize(("size", "accepted"), [(MAX_HEAD_SIZE, True), (MAX_HEAD_SIZE + 1, False)])
def test_a_head_may_have_so_many_bytes_and_no_more(size, accepted):
    beginning = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: "
    head = beginning + b"b" * (size - len(beginning) - 4) + b"\r\n\r\n"

    assert (not isinstance(read(head, []), str)) is accepted


async def test_a_switch_of_protocols_that_nobody_asked_for_is_an_error(ours):
    answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"

    async def script(peer: Peer) -> None:
        await peer.answer_all(answer)

    async with serving(script) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(ours, server.url)


async def test_the_offer_of_another_protocol_is_no_hindrance(ours):
    offer = OK.replace(b"\r\n", b"\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\n", 1)

    async def script(peer: Peer) -> None:
        await peer.answer_all(offer)

    async with serving(script) as server:
        for _ in range(2):
            assert await fetch(ours, server.url) == b"ok"
        assert len(server.peers) == 1


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "http:///path"])
async def test_other_urls_are_refused(ours, url):
    with pytest.raises(httpx.UnsupportedProtocol):
        await send(ours, "GET", url)
