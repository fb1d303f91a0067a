"""When a connection is used again, when a request is sent again, and how places are shared."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from replicator.registry.transport import Http1Transport
from tests.registry.transport.requests import fetch, pieces_of, send
from tests.registry.transport.scripted import OK, Peer, serving

PART = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"


async def hang_up_on_the_second_request(peer: Peer) -> None:
    """Close the first connection just when it is used again, as a server does by bad luck."""
    await peer.request()
    await peer.send(OK)
    if peer.number == 0:
        await peer.head()
        return
    await peer.answer_all(OK)


@pytest.mark.parametrize(
    "request_again",
    [
        {"method": "GET"},
        {"method": "HEAD"},
        {"method": "POST", "content": b"small"},
        {"method": "PUT", "content": b"x" * 100_000},
    ],
)
async def test_a_request_that_met_a_closed_connection_is_sent_again(ours, request_again):
    async with serving(hang_up_on_the_second_request) as server:
        await fetch(ours, server.url)
        response = await send(ours, url=server.url, **request_again)

        assert response.status_code == 200
        assert len(server.peers) == 2


async def test_a_request_whose_body_is_partly_gone_is_not_sent_again(ours):
    body = {"content": pieces_of([b"abc"]), "headers": {"Content-Length": "3"}}
    async with serving(hang_up_on_the_second_request) as server:
        await fetch(ours, server.url)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
            await send(ours, "PUT", server.url, **body)

        assert len(server.peers) == 1


async def test_a_request_on_a_new_connection_is_not_sent_again(ours):
    async def script(peer: Peer) -> None:
        await peer.head()

    async with serving(script) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(ours, server.url)

        assert len(server.peers) == 1


async def test_a_request_whose_answer_has_begun_is_not_sent_again(ours):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(OK[:9])

    async with serving(script) as server:
        await fetch(ours, server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(ours, server.url)

        assert len(server.peers) == 1


@pytest.mark.parametrize("excess", [b"x", OK])
@pytest.mark.parametrize(
    "answer", [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]
)
async def test_bytes_beyond_an_answer_are_not_taken_for_the_next(ours, answer, excess):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer + (excess if peer.number == 0 else b""))
        await peer.closed_by_client()

    async with serving(script) as server:
        assert await fetch(ours, server.url) == b"ok"
        assert await fetch(ours, server.url) == b"ok"
        assert len(server.peers) == 2


async def test_a_body_that_should_not_be_there_is_not_taken_for_the_next_answer(ours):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.closed_by_client()

    async with serving(script) as server:
        response = await send(ours, "HEAD", server.url)
        assert await response.aread() == b""
        assert await fetch(ours, server.url) == b"ok"


@pytest.mark.parametrize(
    ("beginning", "rest"),
    [
        (PART, b"ially"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\npart", b"ially\r\n0\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", b""),
    ],
)
async def test_a_small_unread_body_that_is_here_is_forgotten_and_the_connection_kept(
    ours, beginning, rest
):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(beginning)
        await asked.wait()
        await peer.send(rest)
        sent.set()
        await peer.answer_all(OK)

    asked, sent = asyncio.Event(), asyncio.Event()
    async with serving(script) as server:
        response = await send(ours, "GET", server.url)
        asked.set()
        await sent.wait()
        await response.aclose()

        assert await fetch(ours, server.url) == b"ok"
        assert len(server.peers) == 1


@pytest.mark.parametrize("size", [9, 10_000_000])
async def test_an_unread_body_that_is_large_or_not_here_closes_the_connection(ours, size):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\npart" % size)
        await peer.closed_by_client()
        closed.set()

    closed = asyncio.Event()
    async with serving(script) as server:
        response = await send(ours, "GET", server.url)
        await response.aclose()
        await closed.wait()


async def test_an_idle_connection_is_closed_after_a_while():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.closed_by_client()
        closed.set()

    closed = asyncio.Event()
    async with serving(script) as server, Http1Transport(keepalive_expiry=0.01) as transport:
        await fetch(transport, server.url)
        await closed.wait()


async def test_closing_the_transport_closes_all_connections():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(PART)
        await peer.closed_by_client()
        closed.set()

    closed = asyncio.Event()
    async with serving(script) as server:
        async with Http1Transport() as transport:
            response = await send(transport, "GET", server.url)
        await closed.wait()
        with pytest.raises(httpx.ReadError):
            await response.aread()


async def test_the_connection_that_was_used_last_is_used_first(ours):
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            used.append(peer.number)
            if len(used) == 2:
                both.set()
            await both.wait()
            await peer.send(OK)

    used, both = [], asyncio.Event()
    async with serving(script) as server:
        await asyncio.gather(fetch(ours, server.url), fetch(ours, server.url))
        for _ in range(3):
            await fetch(ours, server.url)

        assert len(set(used[2:])) == 1


async def test_requests_wait_for_a_place_in_turn():
    async def script(peer: Peer) -> None:
        while True:
            order.append((await peer.request()).line.split()[1])
            await peer.send(OK)

    order: list[str] = []
    async with serving(script) as server, Http1Transport(max_connections=1) as transport:
        paths = [f"/{number}" for number in range(20)]
        await asyncio.gather(*(fetch(transport, server.url + path) for path in paths))

        assert order == paths
        assert len(server.peers) == 1


async def test_places_are_counted_for_each_origin():
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(PART)
        await peer.closed_by_client()

    async with (
        serving(script) as one,
        serving(script) as other,
        Http1Transport(max_connections=1) as transport,
    ):
        await send(transport, "GET", one.url)
        await send(transport, "GET", other.url)


async def start(transport, url, arrived):
    """Start a request and wait until the server has it."""
    task = asyncio.create_task(send(transport, "GET", url))
    await arrived.wait()
    return task


async def test_whoever_is_cancelled_while_waiting_leaves_the_queue():
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            arrived.set()
            await answer.wait()
            await peer.send(OK)

    arrived, answer = asyncio.Event(), asyncio.Event()
    async with serving(script) as server, Http1Transport(max_connections=1) as transport:
        first = await start(transport, server.url, arrived)
        second = asyncio.create_task(fetch(transport, server.url))
        third = asyncio.create_task(fetch(transport, server.url))
        await asyncio.sleep(0)
        second.cancel()
        answer.set()

        assert await (await first).aread() == b"ok"
        assert await third == b"ok"


async def test_a_place_that_comes_together_with_the_cancellation_is_not_lost():
    async def script(peer: Peer) -> None:
        await peer.answer_all(PART, OK)

    async with serving(script) as server, Http1Transport(max_connections=1) as transport:
        first = await send(transport, "GET", server.url)
        second = asyncio.create_task(fetch(transport, server.url))
        await asyncio.sleep(0)
        await first.aclose()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second

        third = await send(transport, "GET", server.url)
        await third.aclose()


async def test_cancelling_while_the_body_is_read_closes_the_connection():
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number:
            await peer.answer_all(OK)
        await peer.send(PART)
        await peer.closed_by_client()
        closed.set()

    closed = asyncio.Event()
    async with serving(script) as server, Http1Transport(max_connections=1) as transport:
        response = await send(transport, "GET", server.url)
        reading = asyncio.create_task(response.aread())
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await closed.wait()


async def test_cancelling_while_the_body_is_sent_closes_the_connection():
    async def endless():
        while True:
            yield bytes(1 << 20)

    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 0:
            arrived.set()
            await peer.closed_by_client()
            closed.set()
        await peer.send(OK)
        await peer.closed_by_client()

    arrived, closed = asyncio.Event(), asyncio.Event()
    async with serving(script) as server, Http1Transport(max_connections=1) as transport:
        sending = asyncio.create_task(send(transport, "PATCH", server.url, content=endless()))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await closed.wait()
        assert await fetch(transport, server.url) == b"ok"


async def test_cancelling_while_connecting_frees_the_place():
    async def script(peer: Peer) -> None:
        await peer.answer_all(OK)

    async with serving(script) as server, Http1Transport(max_connections=1) as transport:
        connecting = asyncio.create_task(fetch(transport, server.url))
        await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting

        assert await fetch(transport, server.url) == b"ok"
