"""What any transport under the registry layer has to do, ours and httpx's own."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.registry.transport.requests import fetch, pieces_of, send
from tests.registry.transport.scripted import OK, Peer, serving

NOT_FOUND = b'HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\n{"errors":[]}'
CUT = (httpx.ReadError, httpx.RemoteProtocolError)


def answering(*answers: bytes):
    """A script that gives these answers, the last one again and again."""

    async def script(peer: Peer) -> None:
        await peer.answer_all(*answers)

    return script


async def test_an_answer_has_its_status_headers_and_body(transport):
    answer = b"HTTP/1.1 404 Not Found\r\nX-A:  b \r\nx-a: c\r\nContent-Length: 4\r\n\r\ngone"
    async with serving(answering(answer)) as server:
        response = await send(transport, "GET", f"{server.url}/v2/")

        assert response.status_code == 404
        assert response.headers.get_list("x-a") == ["b", "c"]
        assert await response.aread() == b"gone"


async def test_a_request_arrives_as_it_was_made(transport):
    async with serving(lambda peer: collect(peer, arrived)) as server:
        arrived = asyncio.get_running_loop().create_future()
        await send(transport, "POST", f"{server.url}/a%20b?c=d", content=b"e", headers={"X-F": "g"})

    request = await arrived
    assert request.line == "POST /a%20b?c=d HTTP/1.1"
    assert request.headers["host"] == server.url.removeprefix("http://")
    assert request.headers["x-f"] == "g"
    assert request.body == b"e"


async def collect(peer: Peer, arrived: asyncio.Future) -> None:
    arrived.set_result(await peer.request())
    await peer.send(OK)
    await peer.closed_by_client()


@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
async def test_a_streamed_body_arrives_whole_with_a_length(transport, size):
    content = bytes(range(256)) * (size // 256 + 1)
    parts = [content[:1], b"", content[1:size]]
    async with serving(lambda peer: collect(peer, arrived)) as server:
        arrived = asyncio.get_running_loop().create_future()
        await send(
            transport,
            "PUT",
            server.url,
            content=pieces_of(parts),
            headers={"Content-Length": str(size)},
        )

    assert (await arrived).body == content[:size]


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
async def test_a_streamed_body_arrives_whole_in_chunks(transport, size):
    content = bytes(range(256)) * (size // 256 + 1)
    parts = [content[:size][:1], content[:size][1:]]
    async with serving(lambda peer: collect(peer, arrived)) as server:
        arrived = asyncio.get_running_loop().create_future()
        await send(transport, "PATCH", server.url, content=pieces_of(filter(None, parts)))

    assert (await arrived).body == content[:size]


@pytest.mark.parametrize("size", [0, 1, 20_000, 3_000_000])
async def test_a_body_in_memory_arrives_whole(transport, size):
    async with serving(lambda peer: collect(peer, arrived)) as server:
        arrived = asyncio.get_running_loop().create_future()
        await send(transport, "PUT", server.url, content=b"x" * size)

    assert (await arrived).body == b"x" * size


async def test_a_large_body_is_received_whole(transport):
    content = bytes(range(256)) * 20_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content
    async with serving(answering(answer)) as server:
        assert await fetch(transport, server.url) == content


async def test_chunks_with_extensions_and_trailers_are_put_together(transport):
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;a=b\r\nabc\r\n0a\r\ndefghijklm\r\n0\r\nX-Trailer: z\r\n\r\n"
    )
    async with serving(answering(answer, OK)) as server:
        assert await fetch(transport, server.url) == b"abcdefghijklm"
        assert await fetch(transport, server.url) == b"ok"
        assert len(server.peers) == 1


async def test_a_body_without_a_length_ends_with_the_connection(transport):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nto the", b" end")

    async with serving(script) as server:
        assert await fetch(transport, server.url) == b"to the end"


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 404 Not Found\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nEtag: "a"\r\n\r\n'),
        ("PUT", b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_body_leaves_the_connection_usable(transport, method, answer):
    async with serving(answering(answer, OK)) as server:
        response = await send(transport, method, server.url)

        assert await response.aread() == b""
        assert await fetch(transport, server.url) == b"ok"
        assert len(server.peers) == 1


async def test_interim_answers_are_passed_over(transport):
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    async with serving(answering(interim + OK)) as server:
        assert await fetch(transport, server.url) == b"ok"


async def test_a_head_may_come_byte_by_byte(transport):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*(bytes([byte]) for byte in OK))
        await peer.closed_by_client()

    async with serving(script) as server:
        assert await fetch(transport, server.url) == b"ok"


async def test_a_header_line_may_be_eight_kibibytes_long(transport):
    answer = b"HTTP/1.1 200 OK\r\nLink: " + b"x" * 8192 + b"\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(answer)) as server:
        response = await send(transport, "GET", server.url)

        assert len(response.headers["link"]) == 8192
        await response.aclose()


async def test_two_thousand_requests_share_one_connection(transport):
    async with serving(answering(OK, NOT_FOUND, OK)) as server:
        for _ in range(2000):
            await fetch(transport, server.url)

        assert len(server.peers) == 1


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive, Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_is_not_used_again_when_the_server_says_so(transport, last):
    async with serving(answering(last)) as server:
        assert await fetch(transport, server.url) == b"ok"
        assert await fetch(transport, server.url) == b"ok"
        assert len(server.peers) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_server_may_close_after_each_answer(transport, method):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    async with serving(script) as server:
        for _ in range(3):
            response = await send(transport, method, server.url)
            await response.aread()
            assert response.status_code == 200


async def test_a_connection_that_the_server_closed_while_idle_is_not_used(transport):
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 0:
            peer.writer.close()
            await peer.writer.wait_closed()
            closed.set()
        else:
            await peer.closed_by_client()

    async with serving(script) as server:
        assert await fetch(transport, server.url) == b"ok"
        await closed.wait()
        sized = {"content": pieces_of([b"abc"]), "headers": {"Content-Length": "3"}}
        response = await send(transport, "PUT", server.url, **sized)
        assert await response.aread() == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbeginning",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nbeginning\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nbegin",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nbeginning\r\n0\r\n",
        b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 5000\r\n\r\n{}",
    ],
)
@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_body_that_is_cut_short_is_an_error(transport, answer, abruptly):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        if abruptly:
            peer.reset()

    async with serving(script) as server:
        with pytest.raises(CUT):
            await fetch(transport, server.url)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"",
    ],
)
async def test_what_is_no_answer_is_an_error(transport, answer):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    async with serving(script) as server:
        with pytest.raises(CUT):
            await fetch(transport, server.url)


async def test_a_malformed_chunk_is_an_error(transport):
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n"
    async with serving(answering(answer)) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(transport, server.url)


async def test_nobody_listening_is_an_error_of_the_connection(transport):
    async with serving(answering(OK)) as server:
        pass

    with pytest.raises(httpx.ConnectError):
        await fetch(transport, server.url)


async def test_a_host_that_does_not_exist_is_an_error_of_the_connection(transport):
    with pytest.raises(httpx.ConnectError):
        await fetch(transport, "http://registry.invalid/")


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n", OK[:-1]])
async def test_a_silent_server_is_given_up(transport, beginning):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(beginning)
        await peer.closed_by_client()

    async with serving(script) as server:
        with pytest.raises(httpx.ReadTimeout):
            await fetch(transport, server.url, limits={"read": 0.05})


async def test_a_server_that_takes_nothing_is_given_up(transport):
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await given_up.wait()

    async with serving(script) as server:
        given_up = asyncio.Event()
        with pytest.raises(httpx.WriteTimeout):
            await send(
                transport,
                "PUT",
                server.url,
                content=pieces_of([bytes(1 << 20)] * 64),
                headers={"Content-Length": str(64 << 20)},
                limits={"write": 0.05},
            )
        given_up.set()


async def test_waiting_for_a_connection_has_a_limit(make_transport):
    unfinished = answering(OK[:-1])
    async with serving(unfinished) as server, make_transport(max_connections=1) as transport:
        first = await send(transport, "GET", server.url)
        with pytest.raises(httpx.PoolTimeout):
            await fetch(transport, server.url, limits={"pool": 0.05})
        await first.aclose()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "b\r\nX-C: d"),
        ("X-A", "b\nX-C: d"),
        ("X-A", "b\0"),
        ("X-A\r\nX-B", "c"),
        ("X A", "b"),
        ("", "b"),
    ],
)
async def test_no_header_can_smuggle_in_another(transport, name, value):
    async with serving(answering(OK)) as server:
        with pytest.raises(httpx.LocalProtocolError):
            await fetch(transport, server.url, headers={name: value})


async def test_a_request_without_a_host_is_not_sent(transport):
    async with serving(answering(OK)) as server:
        with pytest.raises(httpx.LocalProtocolError):
            await send(transport, "GET", server.url, stream=httpx.ByteStream(b""))


async def test_an_error_of_the_body_passes_through_and_the_request_is_not_completed(transport):
    async def failing():
        yield b"abc"
        raise LookupError

    async def script(peer: Peer) -> None:
        await peer.head()
        received.set_result(await peer.reader.read())

    async with serving(script) as server:
        received = asyncio.get_running_loop().create_future()
        with pytest.raises(LookupError):
            await send(transport, "PATCH", server.url, content=failing())

        assert b"\r\n0\r\n" not in await received


async def test_an_unread_body_does_not_get_into_the_next_answer(transport):
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)
    async with serving(answering(large, OK)) as server:
        response = await send(transport, "GET", server.url)
        await response.aclose()

        assert (await fetch(transport, server.url)).strip(b"\0") in (b"ok", b"")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_server_is_found_by_address_and_by_name(transport, host):
    async with serving(answering(OK)) as server:
        assert await fetch(transport, server.url.replace("127.0.0.1", host)) == b"ok"


async def test_a_cancelled_request_frees_its_connection(make_transport):
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 0:
            arrived.set()
            await peer.closed_by_client()
            gone.set()
        await peer.send(OK)
        await peer.closed_by_client()

    arrived, gone = asyncio.Event(), asyncio.Event()
    async with serving(script) as server, make_transport(max_connections=1) as transport:
        waiting = asyncio.create_task(fetch(transport, server.url))
        await arrived.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        await gone.wait()
        assert await fetch(transport, server.url) == b"ok"
