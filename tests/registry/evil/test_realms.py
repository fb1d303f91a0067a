"""S-01 … S-03: where a registry may have its credentials sent for a token."""

from __future__ import annotations

import asyncio
import json

import pytest

from replicator.errors import NotARegistry, OutboundRefused, RegistryError, RegistryUnavailable
from replicator.oci.reference import Tag
from replicator.registry.settings import Credentials
from tests.registry.evil.servers import IDENTITY_TOKEN, TOKEN, Answer, Request

LATEST = Tag("latest")
MANIFEST = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
)


def with_realm(realm: str, *, more: str = ""):
    """Behave as a registry whose tokens come from *realm*."""

    def behave(request: Request) -> Answer:
        if request.header("authorization") == f"Bearer {TOKEN}":
            return Answer(
                headers=(("Content-Type", "application/vnd.oci.image.index.v1+json"),),
                body=MANIFEST,
            )
        if request.path == "/token":
            return Answer(body=json.dumps({"token": TOKEN}).encode())
        return Answer(401, (("WWW-Authenticate", f'{more}Bearer realm="{realm}",service="x"'),))

    return behave


async def test_an_honest_realm_works(evil, connect):
    evil.behave = with_realm("/token")

    await connect().repository("a/b").get_manifest(LATEST)

    assert [request.path for request in evil.requests] == [
        "/v2/a/b/manifests/latest",
        "/token",
        "/v2/a/b/manifests/latest",
    ]


# {hole} is the sinkhole's host and port, {own} the registry's.
REALMS = [
    "http://{hole}/token",
    "http://{hole}/token?{own}",
    "http://{hole}/{own}/token",
    "http://{hole}/token#{own}",
    "http://{own}@{hole}/token",
    "http://alice:x@{hole}/token",
    "http://{own}\\\\@{hole}/token",
    "http://{hole}\\\\.{own}/token",
    "http://{hole}/token\t",
    " http://{hole}/token",
    "//{hole}/token",
    "///{hole}/token",
    "/\\\\{hole}/token",
    "\\\\\\\\{hole}/token",
    "HTTP://{hole}/token",
    "http:{hole}/token",
    "http:/{hole}/token",
    "http://{hole}",
    "http://{hole}?x=y",
    "http://localhost:{port}/token",
    "http://127.1:{port}/token",
    "http://2130706433:{port}/token",
    "http://0x7f.0.0.1:{port}/token",
    "http://[::ffff:127.0.0.1]:{port}/token",
    "http://[::1]:{port}/token",
    "http://0:{port}/token",
    "http://127.0.0.1:{port}/token",
    "http://127.0.0.1:0{port}/token",
    "http://127.0.0.1.:{port}/token",
    "https://{hole}/token",
    "ftp://{hole}/token",
]


@pytest.mark.parametrize("credentials", [None, Credentials("", identity_token=IDENTITY_TOKEN)])
@pytest.mark.parametrize("realm", REALMS)
async def test_credentials_go_to_no_realm_but_our_own(evil, hole, connect, realm, credentials):
    host = hole.url.removeprefix("http://")
    evil.behave = with_realm(realm.format(hole=host, own=evil.host, port=hole.port))
    registry = connect(credentials) if credentials else connect()

    with pytest.raises(RegistryError):
        await registry.repository("a/b").get_manifest(LATEST)

    assert hole.saw_nothing()


@pytest.mark.parametrize("realm", REALMS)
async def test_who_has_no_credentials_sends_none(evil, hole, connect, realm):
    host = hole.url.removeprefix("http://")
    evil.behave = with_realm(realm.format(hole=host, own=evil.host, port=hole.port))

    with pytest.raises(RegistryError):
        await connect(None).repository("a/b").get_manifest(LATEST)

    assert hole.saw_no_secret()


async def test_a_second_challenge_does_not_lead_astray_either(evil, hole, connect):
    evil.behave = with_realm(
        f"{hole.url}/two", more=f'Bearer realm="{hole.url}/one", Basic realm="x", '
    )

    with pytest.raises(OutboundRefused):
        await connect().repository("a/b").get_manifest(LATEST)

    assert hole.saw_nothing()


async def test_a_realm_that_changes_on_the_way_is_checked_again(evil, hole, connect):
    evil.behave = with_realm("/token")
    registry = connect()
    await registry.repository("a/b").get_manifest(LATEST)

    behave = with_realm(f"{hole.url}/token")
    evil.behave = lambda request: (
        behave(request)
        if request.path == "/token"
        else Answer(401, (("WWW-Authenticate", f'Bearer realm="{hole.url}/token"'),))
    )
    with pytest.raises(OutboundRefused, match="not trusted with the credentials"):
        await registry.repository("a/b").get_manifest(LATEST)

    assert hole.saw_nothing()


async def test_a_named_origin_gets_them(evil, hole, connect):
    evil.behave = with_realm(f"{hole.url}/token")

    with pytest.raises(RegistryError):
        await connect(token_origins=(hole.url,)).repository("a/b").get_manifest(LATEST)

    assert not hole.saw_no_secret()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_token_requests_follow_no_redirect(evil, hole, connect, status):
    behave = with_realm("/token")

    def redirect(request: Request) -> Answer:
        if request.path == "/token":
            return Answer(status, (("Location", f"{hole.url}/token"),))
        return behave(request)

    evil.behave = redirect
    with pytest.raises(OutboundRefused, match="token requests follow no redirect"):
        await connect().repository("a/b").get_manifest(LATEST)

    assert hole.saw_nothing()


async def test_not_even_to_the_registry_itself(evil, connect):
    behave = with_realm("/old")

    def redirect(request: Request) -> Answer:
        return Answer(307, (("Location", "/token"),)) if request.path == "/old" else behave(request)

    evil.behave = redirect
    with pytest.raises(OutboundRefused):
        await connect().repository("a/b").get_manifest(LATEST)

    assert "/token" not in [request.path for request in evil.requests]


async def test_of_an_endless_token_answer_only_the_start_is_read(evil, connect):
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 16_384
            yield b"x" * 16_384
            await asyncio.sleep(0)

    behave = with_realm("/token")
    evil.behave = lambda request: (
        Answer(body=endless) if request.path == "/token" else behave(request)
    )
    with pytest.raises(NotARegistry, match="more than 65536 bytes"):
        await connect().repository("a/b").get_manifest(LATEST)

    assert sent < 32 * 1024 * 1024  # what fits into the buffers of both sides


async def test_a_token_service_that_hangs_up_is_no_riddle(evil, connect):
    behave = with_realm("/token")
    evil.behave = lambda request: (
        Answer(headers=(("Content-Length", "100"), ("Connection", "close")), body=_nothing)
        if request.path == "/token"
        else behave(request)
    )

    with pytest.raises(RegistryUnavailable):
        await connect().repository("a/b").get_manifest(LATEST)


async def _nothing():
    for nothing in ():
        yield nothing
