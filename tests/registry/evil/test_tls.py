"""S-09: what passes for the registry, and what is sent to what does not."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from replicator.errors import NotFound, OutboundRefused, ReplicatorError, TlsNotTrusted
from replicator.oci.reference import Tag
from replicator.registry.settings import Tls
from tests.registry.evil.servers import Answer, Evil, evil_registry, sinkhole
from tests.registry.evil.test_redirects import send_blob
from tests.support.certificates import Authority

TAG = Tag("latest")


def server_context(authority: Authority, folder: Path) -> ssl.SSLContext:
    files = authority.issue(folder, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context


@pytest.fixture
async def secure(authority: Authority, tmp_path: Path) -> AsyncIterator[Evil]:
    """A registry whose certificate is good for 127.0.0.1."""
    async with evil_registry(server_context(authority, tmp_path)) as server:
        yield server


async def test_a_trusted_certificate_is_spoken_to(secure, connect, authority):
    registry = connect(name=secure.host, plain_http=False, tls=Tls(ca_file=authority.certificate))

    with pytest.raises(NotFound):
        await registry.repository("a/b").get_manifest(TAG)

    assert secure.requests


@pytest.mark.parametrize("plain_http", [None, False])
async def test_one_of_nobody_knows_whom_is_not(secure, connect, plain_http):
    with pytest.raises(TlsNotTrusted):
        await connect(name=secure.host, plain_http=plain_http).repository("a/b").get_manifest(TAG)

    assert secure.requests == []


async def test_one_for_another_host_is_not(authority, tmp_path, connect):
    context = server_context(authority, tmp_path)
    async with evil_registry(context, address="127.0.0.2") as other:
        registry = connect(
            name=other.host, plain_http=False, tls=Tls(ca_file=authority.certificate)
        )

        with pytest.raises(TlsNotTrusted):
            await registry.repository("a/b").get_manifest(TAG)

        assert other.requests == []


async def test_tls_1_1_is_too_old(authority, tmp_path, connect):
    context = server_context(authority, tmp_path)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with evil_registry(context) as old:
        registry = connect(name=old.host, plain_http=False, tls=Tls(ca_file=authority.certificate))

        with pytest.raises(ReplicatorError):
            await registry.repository("a/b").get_manifest(TAG)

        assert old.requests == []


async def test_a_registry_that_should_speak_tls_and_does_not_hears_nothing(connect):
    async with sinkhole() as hole:
        name = hole.url.removeprefix("http://")

        with pytest.raises(ReplicatorError):
            await connect(name=name, plain_http=False).repository("a/b").get_manifest(TAG)

        assert b"GET" not in hole.received
        assert hole.saw_no_secret()


async def test_a_secure_registry_does_not_lead_into_the_open(secure, connect, authority):
    async with sinkhole() as hole:
        secure.behave = lambda request: Answer(307, (("Location", f"{hole.url}/x"),))
        registry = connect(
            name=secure.host, plain_http=False, tls=Tls(ca_file=authority.certificate)
        )

        with pytest.raises(OutboundRefused, match="plain-text"):
            await registry.repository("a/b").get_manifest(TAG)

        assert hole.saw_nothing()


async def test_nor_does_its_token_service(secure, connect, authority):
    async with sinkhole() as hole:
        challenge = f'Bearer realm="{hole.url}/token"'
        secure.behave = lambda request: Answer(401, (("WWW-Authenticate", challenge),))
        registry = connect(
            name=secure.host,
            plain_http=False,
            tls=Tls(ca_file=authority.certificate),
            token_origins=(hole.url,),
        )

        with pytest.raises(OutboundRefused, match="plain-text"):
            await registry.repository("a/b").get_manifest(TAG)

        assert hole.saw_nothing()


async def test_a_location_that_a_proxy_stripped_of_tls_is_followed_with_it(
    secure, connect, authority
):
    registry = connect(name=secure.host, plain_http=False, tls=Tls(ca_file=authority.certificate))

    await send_blob(secure, registry, f"http://{secure.host}/u")

    assert ("PUT", "/u") in [(request.method, request.path) for request in secure.requests]
