"""Requests with bodies that are made while they are sent."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import httpx
import pytest

from tests.registry.transport.requests import fetch, pieces_of, send
from tests.registry.transport.scripted import OK, Peer, serving

MIB = 1024 * 1024
REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch"


class Endless(httpx.AsyncByteStream):
    """Pieces without end; knows how many were asked for and whether it was closed."""

    def __init__(self):
        self.count = 0
        self.closed = False

    async def __aiter__(self):
        try:
            while True:
                self.count += 1
                yield memoryview(bytes(MIB))
        finally:
            self.closed = True


def sized(pieces, size):
    """A body that is sent as *size* bytes."""
    return body_of(pieces) | {"headers": {"Host": "here", "Content-Length": str(size)}}


def chunked(pieces):
    """A body that is sent in chunks."""
    return body_of(pieces) | {"headers": {"Host": "here", "Transfer-Encoding": "chunked"}}


def body_of(pieces):
    # A stream is taken as it is, while an iterator gets a wrapper that does not close it.
    return {"stream" if isinstance(pieces, httpx.AsyncByteStream) else "content": pieces}


@pytest.mark.parametrize("closes", ["stays", "closes", "resets"])
@pytest.mark.parametrize("framing", ["sized", "chunked"])
async def test_an_answer_ends_the_sending_and_is_returned(ours, closes, framing):
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(REFUSAL)
        if closes == "stays":
            await peer.closed_by_client()
        elif closes == "resets":
            peer.reset()

    body = Endless()
    more = sized(body, 2**50) if framing == "sized" else chunked(body)
    async with serving(script) as server:
        response = await send(ours, "PUT", server.url, **more)

        assert response.status_code == 413
        assert await response.aread() == b"much"
        assert body.closed


async def test_an_answer_is_returned_while_the_body_is_still_being_waited_for(ours):
    async def slow():
        try:
            yield b"beginning"
            waits.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def script(peer: Peer) -> None:
        await peer.head()
        await waits.wait()
        await peer.send(REFUSAL)
        await peer.closed_by_client()

    waits, closed = asyncio.Event(), asyncio.Event()
    async with serving(script) as server:
        response = await send(ours, "PUT", server.url, **sized(slow(), 1000))

        assert response.status_code == 413
        assert closed.is_set()


async def test_after_an_early_answer_the_connection_is_not_used_again(ours):
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(REFUSAL)
        await peer.closed_by_client()
        assert peer.number < 2

    async with serving(script) as server:
        for _ in range(2):
            response = await send(ours, "PUT", server.url, **sized(Endless(), 2**50))
            assert await response.aread() == b"much"
        assert len(server.peers) == 2


async def test_an_answer_to_the_whole_body_does_not_disturb_whoever_made_it(ours):
    async def pieces():
        yield b"abc"
        await answered.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        ended.append(True)

    async def script(peer: Peer) -> None:
        for _ in range(2):
            await peer.request()
            await peer.send(OK)
            answered.set()

    answered, ended = asyncio.Event(), []
    async with serving(script) as server:
        response = await send(ours, "PUT", server.url, **sized(pieces(), 3))

        assert await response.aread() == b"ok"
        assert ended == [True]
        assert await fetch(ours, server.url) == b"ok"
        assert len(server.peers) == 1


async def test_a_server_that_hangs_up_while_it_is_sent_to_is_an_error(ours):
    async def script(peer: Peer) -> None:
        await peer.head()
        peer.reset()

    async with serving(script) as server:
        with pytest.raises((httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError)):
            await send(ours, "PUT", server.url, **sized(Endless(), 2**50))


async def test_no_more_is_asked_for_than_the_server_takes(ours):
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        connected.set()
        await peer.closed_by_client()

    body, connected = Endless(), asyncio.Event()
    async with serving(script) as server:
        sending = asyncio.create_task(send(ours, "PUT", server.url, **sized(body, 2**50)))
        await connected.wait()
        asked = -1
        while asked < body.count:
            asked = body.count
            for _ in range(100):
                await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    # What fits into the kernel's buffers.
    assert body.count < 64
    assert body.closed


async def test_memory_of_a_piece_may_be_used_again_when_the_next_is_asked_for(ours):
    async def pieces():
        for number in range(40):
            memory[:] = bytes([number]) * MIB
            yield memoryview(memory)

    async def script(peer: Peer) -> None:
        received.set_result((await peer.request()).body)
        await peer.send(OK)

    memory = bytearray(MIB)
    async with serving(script) as server:
        received = asyncio.get_running_loop().create_future()
        await send(ours, "PUT", server.url, **sized(pieces(), 40 * MIB))

    assert await received == b"".join(bytes([number]) * MIB for number in range(40))


async def test_other_tasks_get_their_turn_while_a_body_is_sent_without_waiting(ours):
    async def others():
        while not done.is_set():
            turns.append(body.count)
            await asyncio.sleep(0)

    async def script(peer: Peer) -> None:
        await peer.reader.readexactly(16 * MIB)
        await peer.send(REFUSAL)
        await peer.closed_by_client()

    body, turns, done = Endless(), [], asyncio.Event()
    async with serving(script) as server, asyncio.TaskGroup() as group:
        group.create_task(others())
        await send(ours, "PUT", server.url, **sized(body, 2**50))
        done.set()

    assert max(later - earlier for earlier, later in pairwise(turns)) <= 2


@pytest.mark.parametrize("declared", [2, 4])
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_body_of_another_length_than_declared_is_an_error(ours, declared, streamed):
    async def script(peer: Peer) -> None:
        await peer.closed_by_client()

    async with serving(script) as server:
        body = pieces_of([b"abc"]) if streamed else b"abc"
        with pytest.raises(httpx.LocalProtocolError):
            await send(ours, "PUT", server.url, **sized(body, declared))
