"""Starting and stopping: in a loop, in a thread, on a given port, over TLS."""

from __future__ import annotations

import asyncio
import ssl
import threading

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from replicator.embedded.server import EmbeddedRegistry, ServerTls
from replicator.embedded.thread import in_thread
from replicator.errors import ConfigError
from tests.support.certificates import Authority
from tests.support.embedded import random_bytes, store_blob, store_image


def test_a_registry_runs_in_a_thread_until_it_is_left():
    with in_thread(EmbeddedRegistry()) as registry:
        store_image(registry.storage, "team/app", "v1")
        answer = httpx.get(f"{registry.url}/v2/team/app/manifests/v1")
        assert answer.status_code == 200
        assert registry.requests.count("GET", status=200) == 1

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{registry.url}/v2/")
    assert threading.active_count() == 1 + sum(thread.daemon for thread in threading.enumerate())


def test_a_thread_that_cannot_start_tells_its_caller():
    with in_thread(EmbeddedRegistry()) as registry:
        port = int(registry.host.rpartition(":")[2])
        second = in_thread(EmbeddedRegistry(port=port))
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}"), second:
            pass


async def test_a_registry_starts_again_on_its_port_with_what_it_had():
    async with EmbeddedRegistry() as first:
        store_image(first.storage, "team/app", "v1")
        await get(f"{first.url}/v2/")

    port = int(first.host.rpartition(":")[2])
    async with EmbeddedRegistry(first.storage, port=port) as second:
        answer = await get(f"{second.url}/v2/team/app/manifests/v1")

    assert second.host == first.host
    assert answer.status_code == 200


async def test_a_registry_that_stops_cuts_off_what_it_is_doing():
    arrived, never = asyncio.Event(), asyncio.Event()

    async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.set()
        await never.wait()

    async with EmbeddedRegistry(wrap=lambda app: stuck) as registry:
        request = asyncio.ensure_future(get(f"{registry.url}/v2/"))
        await arrived.wait()

    with pytest.raises(httpx.TransportError):
        await request
    assert [entry.status for entry in registry.requests] == [0]


async def get(url: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.get(url)


async def test_one_connection_serves_many_requests(start_registry):
    registry = await start_registry()
    host, _, port = registry.host.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    for path in ("/v2/", "/v2/team/app/manifests/v1", "/v2/_catalog"):
        writer.write(f"HEAD {path} HTTP/1.1\r\nHost: {registry.host}\r\n\r\n".encode())
        assert b"date: " in (await reader.readuntil(b"\r\n\r\n")).lower()

    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("with_client_certificate", [False, True])
async def test_tls_with_a_certificate_of_our_own_authority(
    tmp_path, start_registry, with_client_certificate
):
    authority = Authority(tmp_path)
    server, client = authority.issue(tmp_path, "server"), authority.issue(tmp_path, "client")
    client_ca = authority.certificate if with_client_certificate else None
    registry = await start_registry(tls=ServerTls(server.certificate, server.key, client_ca))
    blob = store_blob(registry.storage, "team/app", random_bytes("blob", 1_000_000))
    context = ssl.create_default_context(cafile=authority.certificate)
    if with_client_certificate:
        context.load_cert_chain(client.certificate, client.key)

    async with httpx.AsyncClient(verify=context) as http:
        answer = await http.get(f"{registry.url}/v2/team/app/blobs/{blob.digest}")

    assert registry.url.startswith("https://")
    assert answer.content == random_bytes("blob", 1_000_000)


async def test_tls_refuses_a_client_without_the_certificate_it_wants(tmp_path, start_registry):
    authority = Authority(tmp_path)
    server = authority.issue(tmp_path, "server")
    tls = ServerTls(server.certificate, server.key, authority.certificate)
    registry = await start_registry(tls=tls)
    context = ssl.create_default_context(cafile=authority.certificate)

    async with httpx.AsyncClient(verify=context) as http:
        with pytest.raises(httpx.TransportError):
            await http.get(f"{registry.url}/v2/")
