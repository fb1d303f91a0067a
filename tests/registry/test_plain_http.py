"""Whether a registry on this machine is spoken to with TLS."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import RegistryError, RegistryUnavailable, TlsNotTrusted
from replicator.registry.settings import RegistrySettings, Tls
from tests.registry.test_repository import V1, push_image
from tests.support.embedded import store_image


async def test_a_registry_on_this_machine_needs_no_tls(open_client, faulty):
    image = store_image(faulty.storage, "team/app", "v1")
    client = open_client(faulty.host, plain_http=None)

    assert await client.registry.repository("team/app").resolve(V1) == image

    assert client.registry.origin == faulty.url
    assert [request.method for request in faulty.requests] == ["HEAD"]


async def test_that_is_no_request_to_distribution_either(
    open_client, distribution2, repository_path
):
    repository = open_client(distribution2.host, plain_http=None).registry.repository
    since = distribution2.mark()

    await push_image(repository(repository_path))

    methods = [request.method for request in distribution2.requests(since)]
    assert methods == ["POST", "PUT", "POST", "PUT", "PUT"]


async def test_a_registry_on_this_machine_that_speaks_tls_is_spoken_to_with_tls(
    open_client, tls_registry, authority, repository_path
):
    client = open_client(tls_registry.host, plain_http=None, tls=Tls(ca_file=authority.certificate))

    await push_image(client.registry.repository(repository_path))

    assert client.registry.origin == f"https://{tls_registry.host}"


async def test_a_certificate_that_is_not_trusted_is_never_got_around(open_client, tls_registry):
    client = open_client(tls_registry.host, plain_http=None)

    with pytest.raises(TlsNotTrusted):
        await client.registry.repository("team/app").resolve(V1)

    assert not client.patience.slept


async def test_plain_http_can_be_forbidden(open_client, faulty):
    client = open_client(faulty.host, plain_http=False, retries=0)

    with pytest.raises(RegistryUnavailable):
        await client.registry.repository("team/app").resolve(V1)

    assert not len(faulty.requests)


@pytest.mark.parametrize(
    "words", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.0 400 Bad Request\r\n\r\n"]
)
async def test_whatever_does_not_speak_tls_is_plain(open_client, words):
    async def talk(reader, writer):
        if words:
            writer.write(words)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = open_client(host, plain_http=None, retries=0)
        with pytest.raises(RegistryError):
            await client.registry.repository("team/app").resolve(V1)

    assert client.registry.origin == f"http://{host}"


def test_other_hosts_are_spoken_to_with_tls_unless_their_entry_says_otherwise(open_client):
    assert open_client("registry.example.com", plain_http=None).registry.origin == (
        "https://registry.example.com"
    )
    assert RegistrySettings("registry.example.com").plain_http is None


async def test_many_requests_at_once_find_out_once(open_client):
    found_out = 0

    async def speak_tls(reader, writer):
        """Answer as TLS does; whoever only wanted to know says no more."""
        nonlocal found_out
        said = await reader.read(4096)
        found_out += said.endswith(b"\r\n\r\n")
        writer.write(b"\x15\x03\x01\x00\x02\x02\x28")  # an alert: the handshake failed
        writer.close()

    server = await asyncio.start_server(speak_tls, "127.0.0.1", 0)
    async with server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        repository = open_client(host, plain_http=None, retries=0).registry.repository("team/app")
        asked = await asyncio.gather(
            *(repository.resolve(V1) for _ in range(5)), return_exceptions=True
        )

    assert all(isinstance(each, RegistryError) for each in asked)
    assert found_out == 1
