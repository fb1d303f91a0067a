"""Which addresses a request goes to."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from replicator.errors import OutboundRefused
from replicator.registry.transport import Http1Transport
from replicator.registry.transport.connecting import connect
from tests.registry.transport.requests import fetch, send
from tests.registry.transport.scripted import OK, Peer, serving

# The resolver of uvloop's loops cannot be replaced.
on_asyncio = pytest.mark.asyncio(loop_factories=["asyncio"])


async def answering_ok(peer: Peer) -> None:
    await peer.answer_all(OK)


def refuse(address: str) -> None:
    raise OutboundRefused(f"{address} is not allowed")


async def test_the_address_is_asked_about_for_each_request(ours):
    asked: list[str] = []
    async with serving(answering_ok) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        for _ in range(3):
            await fetch(ours, url, extensions={"allow_address": asked.append})

        assert asked == ["127.0.0.1"] * 3
        assert len(server.peers) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nothing_is_sent_to_an_address_that_is_refused(ours, scheme):
    async def script(peer: Peer) -> None:
        received.set_result(await peer.reader.read())

    async with serving(script) as server:
        received = asyncio.get_running_loop().create_future()
        url = server.url.replace("http", scheme)
        with pytest.raises(OutboundRefused):
            await fetch(ours, url, extensions={"allow_address": refuse})

        assert await received == b""


async def test_a_kept_connection_is_not_used_when_its_address_is_refused():
    async def script(peer: Peer) -> None:
        lines.append((await peer.request()).line)
        await peer.send(OK)
        await peer.closed_by_client()

    lines: list[str] = []
    async with serving(script) as server, Http1Transport(max_connections=1) as transport:
        await fetch(transport, f"{server.url}/one")
        with pytest.raises(OutboundRefused):
            await fetch(transport, f"{server.url}/two", extensions={"allow_address": refuse})
        await fetch(transport, f"{server.url}/three")

        assert [line.split()[1] for line in lines] == ["/one", "/three"]


async def test_a_new_connection_for_a_repeated_request_is_asked_about(ours):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.head()

    asked: list[str] = []
    async with serving(script) as server:
        for _ in range(2):
            await fetch(ours, server.url, extensions={"allow_address": asked.append})

        assert len(server.peers) == 2
    assert len(asked) == 3


class Resolver:
    """Answers every question with the same addresses."""

    def __init__(self, *addresses: tuple[str, int]) -> None:
        self.found = [
            (socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
            for address in addresses
            for host, _ in [address]
        ]

    async def getaddrinfo(self, *args, **more):
        return self.found


@pytest.fixture
def resolve(monkeypatch):
    """Let all names have the given addresses."""

    def let(*addresses: tuple[str, int]) -> None:
        monkeypatch.setattr(
            asyncio.get_running_loop(), "getaddrinfo", Resolver(*addresses).getaddrinfo
        )

    return let


@on_asyncio
async def test_the_next_address_is_tried_when_one_refuses(resolve):
    async with serving(answering_ok) as server, serving(answering_ok) as gone:
        pass
    async with serving(answering_ok, host="127.0.0.1") as server:
        port = int(server.url.rpartition(":")[2])
        resolve(("127.0.0.1", int(gone.url.rpartition(":")[2])), ("127.0.0.1", port))
        tcp, address = await connect(
            "name", 0, tls=None, timeout=20, allow_address=lambda address: None
        )
        tcp.close()

    assert address == "127.0.0.1"


@on_asyncio
async def test_the_next_address_is_tried_beside_one_that_is_slow(resolve, monkeypatch):
    async def sock_connect(tcp, address):
        if address[0] == b"slow":
            slow.set()
            await asyncio.Event().wait()
        await original(tcp, address)

    slow = asyncio.Event()
    loop = asyncio.get_running_loop()
    original = loop.sock_connect
    monkeypatch.setattr(loop, "sock_connect", sock_connect)
    async with serving(answering_ok) as server:
        resolve(("slow", 1), ("127.0.0.1", int(server.url.rpartition(":")[2])))
        tcp, address = await connect(
            "name", 0, tls=None, timeout=20, allow_address=lambda address: None
        )
        tcp.close()

    assert slow.is_set()
    assert address == "127.0.0.1"


@on_asyncio
async def test_connecting_has_a_limit(ours, monkeypatch):
    async def never(tcp, address):
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    with pytest.raises(httpx.ConnectTimeout):
        await send(ours, "GET", "http://127.0.0.1:1/", limits={"connect": 0.05})


async def test_a_server_may_have_an_address_of_version_six(ours):
    async with serving(answering_ok, host="::1") as server:
        port = server.url.rpartition(":")[2]
        asked: list[str] = []
        url = f"http://[::1]:{port}/"
        assert await fetch(ours, url, extensions={"allow_address": asked.append}) == b"ok"

    assert asked == ["::1"]
