"""How the body of an answer is handed out."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import httpx
import pytest

from replicator.registry.transport.pieces import PIECE_SIZE, PieceBuffers
from tests.registry.transport.requests import fetch, send
from tests.registry.transport.scripted import Peer, serving

CONTENT = b"".join(number.to_bytes(4, "big") for number in range(1 << 20))
ANSWERS = {
    "sized": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT,
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n" % len(CONTENT)
    + CONTENT
    + b"\r\n0\r\n\r\n",
    "unsized": b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT,
}


@pytest.fixture(params=ANSWERS)
def answer(request):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWERS[request.param])

    return script


async def test_no_piece_is_over_a_mebibyte(ours, answer):
    async with serving(answer) as server:
        response = await send(ours, "GET", server.url)
        sizes = [len(piece) async for piece in response.stream]

    assert sum(sizes) == len(CONTENT)
    assert max(sizes) <= 1 << 20


async def test_pieces_that_are_kept_do_not_change(ours, answer):
    async with serving(answer) as server:
        response = await send(ours, "GET", server.url)
        kept = [piece async for piece in response.stream]

    assert b"".join(kept) == CONTENT


async def test_a_part_of_a_piece_that_is_kept_does_not_change(ours, answer):
    async with serving(answer) as server:
        response = await send(ours, "GET", server.url)
        offset, kept = 0, {}
        async for piece in response.stream:
            kept[offset] = memoryview(piece)[:4]
            offset += len(piece)

    assert all(CONTENT[at : at + 4] == beginning for at, beginning in kept.items())


def test_pieces_that_are_let_go_share_two_buffers():
    buffers = PieceBuffers()
    seen = set()
    view = None
    for _ in range(10):
        # As in a loop: the last one is held until the next is there.
        view = buffers.take(PIECE_SIZE)
        seen.add(id(view.obj))

    assert len(seen) == 2


async def test_a_body_is_not_received_faster_than_it_is_asked_for(ours):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 2**40)
        while True:
            peer.writer.write(bytes(1 << 20))
            await peer.writer.drain()
            sent.append(1 << 20)

    sent: list[int] = []
    async with serving(script) as server:
        response = await send(ours, "GET", server.url)
        before = -1
        while before < len(sent):
            before = len(sent)
            for _ in range(100):
                await asyncio.sleep(0)
        await response.aclose()

    # What fits into the kernel's buffers.
    assert len(sent) < 100


async def test_other_tasks_get_their_turn_while_a_body_is_read_without_waiting(ours):
    async def others():
        while not done.is_set():
            turns.append(received)
            await asyncio.sleep(0)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWERS["sized"])
        await peer.closed_by_client()

    received, turns, done = 0, [], asyncio.Event()
    async with serving(script) as server, asyncio.TaskGroup() as group:
        response = await send(ours, "GET", server.url)
        group.create_task(others())
        async for piece in response.stream:
            received += len(piece)
        done.set()

    assert max(later - earlier for earlier, later in pairwise(turns)) <= 2 << 20


async def test_what_came_before_a_cut_is_handed_out(ours):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x" * 700)

    async with serving(script) as server:
        pieces = (await send(ours, "GET", server.url)).stream.__aiter__()
        received = 0
        while received < 700:
            received += len(await anext(pieces))
        with pytest.raises(httpx.RemoteProtocolError, match="300 of 1000 bytes"):
            await anext(pieces)


@pytest.mark.parametrize(
    "overhead", [b"1" + b";x" * 1000, b"0\r\nX-Trailer: " + b"x" * 1000, b"0" * 1000]
)
async def test_a_chunked_body_with_nothing_but_overhead_is_given_up(ours, overhead):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + overhead)
        while True:
            await peer.send(overhead[-1:] * 1000)

    async with serving(script) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await fetch(ours, server.url)


async def test_each_silence_within_a_body_has_the_whole_limit(ours):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(0.1)  # the silence is the subject
            await peer.send(b"x")
        await peer.closed_by_client()

    async with serving(script) as server:
        assert await fetch(ours, server.url, limits={"read": 0.4}) == b"xxxxxx"
