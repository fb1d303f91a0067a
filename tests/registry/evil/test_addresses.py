"""S-08: which addresses a registry, or a name that it controls, may lead us to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from replicator.errors import OutboundRefused, ReplicatorError
from replicator.oci.reference import Tag
from replicator.registry.settings import Tls
from replicator.registry.transport import Http1Transport
from tests.registry.evil.servers import Answer, Evil, Sinkhole, sinkhole

TAG = Tag("latest")
PUBLIC = "93.184.216.34"


class Relocated(httpx.AsyncBaseTransport):
    """Our own transport, on a machine whose loopback addresses are elsewhere."""

    def __init__(self, elsewhere: dict[str, str]) -> None:
        self._inner = Http1Transport()
        self._elsewhere = elsewhere

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        allow = request.extensions["allow_address"]
        request.extensions["allow_address"] = lambda address: allow(
            self._elsewhere.get(address, address)
        )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.fixture
async def inside() -> AsyncIterator[Sinkhole]:
    """A server on another address of this machine."""
    async with sinkhole(address="127.0.0.2") as server:
        yield server


def sending_to(url: str):
    return lambda request: Answer(307, (("Location", f"{url}/x"),))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.2",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "224.0.0.1",
        "0.1.2.3",
    ],
)
async def test_a_public_registry_does_not_lead_inside(evil, inside, connect, address):
    evil.behave = sending_to(inside.url)
    transport = Relocated({"127.0.0.1": PUBLIC, "127.0.0.2": address})

    with pytest.raises(OutboundRefused, match="not a public address"):
        await connect(None, transport=transport).repository("a/b").get_manifest(TAG)

    assert not inside.received


@pytest.mark.parametrize("address", [PUBLIC, "10.1.0.1"])
async def test_it_leads_to_the_public_and_to_where_it_may(evil, inside, connect, address):
    evil.behave = sending_to(inside.url)
    transport = Relocated({"127.0.0.1": PUBLIC, "127.0.0.2": address})
    registry = connect(None, transport=transport, allowed_networks=("10.1.0.0/16",))

    with contextlib.suppress(ReplicatorError):
        await registry.repository("a/b").get_manifest(TAG)

    assert inside.received


async def test_an_anonymous_token_service_is_not_inside_either(evil, inside, connect):
    challenge = f'Bearer realm="{inside.url}/token"'
    evil.behave = lambda request: Answer(401, (("WWW-Authenticate", challenge),))
    transport = Relocated({"127.0.0.1": PUBLIC, "127.0.0.2": "169.254.169.254"})

    with pytest.raises(OutboundRefused, match="not a public address"):
        await connect(None, transport=transport).repository("a/b").get_manifest(TAG)

    assert not inside.received


class Resolver:
    """Answers the name of a registry with one address after the other."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = list(addresses)

    async def getaddrinfo(self, host, port, **options):
        address = self._addresses.pop(0) if len(self._addresses) > 1 else self._addresses[0]
        return await self.real(address, port, **options)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.real = loop.getaddrinfo
        monkeypatch.setattr(loop, "getaddrinfo", self.getaddrinfo)


@pytest.fixture
async def twins() -> AsyncIterator[tuple[Evil, Sinkhole]]:
    """A registry, and a sinkhole on the same port of another address."""
    async with sinkhole(address="127.0.0.2") as hole:
        requests: list[bytes] = []

        async def serve(reader, writer):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", hole.port)
        async with server:
            yield Evil(hole.port), hole


@pytest.mark.parametrize(
    "settings", [{"plain_http": True}, {"plain_http": True, "tls": Tls(verify=False)}]
)
async def test_a_name_that_moves_inside_is_not_followed(twins, connect, monkeypatch, settings):
    registry_server, hole = twins
    Resolver("127.0.0.1", "127.0.0.2").install(monkeypatch)
    transport = Relocated({"127.0.0.1": PUBLIC})
    registry = connect(
        name=f"registry.test:{registry_server.port}", transport=transport, **settings
    )
    repository = registry.repository("a/b")
    with pytest.raises(ReplicatorError, match="404"):
        await repository.get_manifest(TAG)

    with pytest.raises(OutboundRefused, match="first led to a public address"):
        await repository.get_manifest(TAG)

    assert not hole.received
