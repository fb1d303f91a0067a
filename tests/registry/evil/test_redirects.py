"""S-04: what follows a redirect, and what stays at home."""

from __future__ import annotations

import contextlib

import pytest

from replicator.errors import OutboundRefused, ReplicatorError
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from tests.registry.evil.servers import Answer, Request, evil_registry

BLOB = Descriptor("application/octet-stream", Digest.of(b"blob"), 4)
TAG = Tag("latest")
BASIC = (("WWW-Authenticate", 'Basic realm="evil"'),)


def redirecting(location: str, status: int = 307, *, cookie: bool = False):
    """Behave as a registry that asks for Basic and then sends everybody elsewhere."""
    headers = (("Location", location),)
    if cookie:
        headers += (("Set-Cookie", "session=canary-token-2wE; Path=/"),)

    def behave(request: Request) -> Answer:
        if request.header("authorization") is None:
            return Answer(401, BASIC)
        return Answer(status, headers)

    return behave


async def read_blob(registry) -> None:
    async with registry.repository("a/b").read_blob(BLOB) as pieces:
        async for _ in pieces:
            pass


async def read_manifest(registry) -> None:
    await registry.repository("a/b").get_manifest(TAG)


async def resolve(registry) -> None:
    await registry.repository("a/b").resolve(TAG)


async def list_tags(registry) -> None:
    async for _ in registry.repository("a/b").list_tags():
        pass


ACTIONS = [read_blob, read_manifest, resolve, list_tags]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("action", ACTIONS)
async def test_credentials_do_not_follow_a_redirect(evil, hole, connect, action, status):
    evil.behave = redirecting(f"{hole.url}/x?X-Amz-Signature=abc", status, cookie=True)

    with contextlib.suppress(ReplicatorError):
        await action(connect())

    assert not hole.saw_nothing()
    assert hole.saw_no_secret()


async def test_another_port_of_the_same_host_is_another_origin(evil, hole, connect):
    assert hole.address == evil.address
    evil.behave = redirecting(f"//{hole.address}:{hole.port}/x")

    with contextlib.suppress(ReplicatorError):
        await read_blob(connect())

    assert hole.saw_no_secret()


async def test_credentials_do_not_come_back_by_a_second_redirect(evil, hole, connect):
    """The registry sends us to a stranger, who sends us to the sinkhole by way of the registry."""
    async with evil_registry() as stranger:
        stranger.behave = lambda request: Answer(307, (("Location", f"{evil.url}/back"),))
        first = redirecting(f"{stranger.url}/x")
        evil.behave = lambda request: (
            Answer(307, (("Location", f"{hole.url}/x"),))
            if request.path == "/back"
            else first(request)
        )

        with contextlib.suppress(ReplicatorError):
            await read_blob(connect())

        assert all(request.header("authorization") is None for request in stranger.requests)
    assert hole.saw_no_secret()


async def test_a_challenge_of_the_host_redirected_to_is_not_answered(evil, connect):
    async with evil_registry() as stranger:
        challenge = f'Basic realm="x", Bearer realm="{stranger.url}/token"'
        stranger.behave = lambda request: Answer(401, (("WWW-Authenticate", challenge),))
        evil.behave = redirecting(f"{stranger.url}/x")

        with pytest.raises(ReplicatorError):
            await read_blob(connect())

        assert [request.path for request in stranger.requests] == ["/x"]
        assert stranger.requests[0].header("authorization") is None


async def test_nor_is_a_challenge_that_names_the_registrys_own_token_service(evil, hole, connect):
    async with evil_registry() as stranger:
        challenge = f'Bearer realm="{evil.url}/token",scope="repository:other/secret:pull"'
        stranger.behave = lambda request: Answer(401, (("WWW-Authenticate", challenge),))
        evil.behave = redirecting(f"{stranger.url}/x")

        with pytest.raises(ReplicatorError):
            await read_blob(connect())

    assert "/token" not in [request.path for request in evil.requests]


async def test_a_request_with_a_body_is_not_sent_on(evil, hole, connect):
    evil.behave = redirecting(f"{hole.url}/x")

    with pytest.raises(ReplicatorError):
        await connect().repository("a/b").offer_blob(BLOB)

    assert hole.saw_nothing()


async def test_redirects_come_to_an_end(evil, connect):
    evil.behave = redirecting("/again")

    with pytest.raises(ReplicatorError, match="redirects"):
        await read_manifest(connect())

    assert len(evil.requests) <= 1 + 6


@pytest.mark.parametrize(
    "location",
    [
        "http://user:pass@{hole}/x",
        "http://{hole}\\x",
        "http://{hole}/x#fragment",
        "http://{hole}/x y",
        "ftp://{hole}/x",
        "file:///etc/passwd",
        "http:{hole}/x",
        "http://{hole}:0/x",
        "",
    ],
)
async def test_an_odd_location_leads_nowhere(evil, hole, connect, location):
    evil.behave = redirecting(location.format(hole=hole.url.removeprefix("http://")))

    with pytest.raises(ReplicatorError):
        await read_manifest(connect())

    assert hole.saw_nothing()


async def test_two_authorizations_are_never_sent(evil, connect):
    evil.behave = redirecting("/again")

    with contextlib.suppress(ReplicatorError):
        await read_manifest(connect())

    for request in evil.requests:
        names = [name for name, _ in request.headers]
        assert names.count("authorization") <= 1
        assert names.count("host") == 1


async def test_no_cookie_is_ever_sent_back(evil, connect):
    evil.behave = redirecting("/again", cookie=True)

    with contextlib.suppress(ReplicatorError):
        await read_manifest(connect())

    assert all(request.header("cookie") is None for request in evil.requests)


async def send_blob(evil, registry, location: str, *, second: str = "") -> None:
    """Send a blob to a registry that names *location*, and then *second*."""

    def behave(request: Request) -> Answer:
        if request.header("authorization") is None:
            return Answer(401, BASIC)
        if request.method == "POST":
            return Answer(202, (("Location", location),))
        if request.method == "PATCH":
            return Answer(202, (("Location", second or location), ("Range", "0-3")))
        return Answer(201 if request.method == "PUT" else 404)

    async def pieces():
        yield b"blob"

    evil.behave = behave
    upload = await registry.repository("a/b").offer_blob(BLOB)
    await upload.send(pieces())


class TestUploads:
    """S-05: where the bytes of a blob are sent."""

    @pytest.mark.parametrize("location", ["{hole}/u?_state=x", "//{host}/u", "{hole}"])
    async def test_a_session_elsewhere_is_refused(self, evil, hole, connect, location):
        place = location.format(hole=hole.url, host=hole.url.removeprefix("http://"))

        with pytest.raises(OutboundRefused, match="upload_origins"):
            await send_blob(evil, connect(), place)

        assert hole.saw_nothing()

    async def test_also_one_that_moves_in_the_middle(self, evil, hole, connect):
        registry = connect(kind="artifactory")  # sends a PATCH

        with pytest.raises(OutboundRefused, match="upload_origins"):
            await send_blob(evil, registry, "/u", second=f"{hole.url}/u")

        assert "PATCH" in [request.method for request in evil.requests]
        assert hole.saw_nothing()

    async def test_a_listed_place_gets_the_bytes_without_the_credentials(self, evil, hole, connect):
        with contextlib.suppress(ReplicatorError):
            await send_blob(
                evil, connect(upload_origins=(hole.url,)), f"{hole.url}/u?signature=a%2Fb"
            )

        assert b"/u?signature=a%2Fb&digest=" in hole.received
        assert hole.saw_no_secret()

    async def test_the_query_of_a_session_comes_back_as_it_was(self, evil, connect):
        await send_blob(evil, connect(), "/u?_state=a%2Bb%3D%3d&x='~!*()&empty=&_nouploadcache")

        put = next(request for request in evil.requests if request.method == "PUT")
        assert put.target == (
            "/u?_state=a%2Bb%3D%3d&x='~!*()&empty=&_nouploadcache"
            f"&digest=sha256%3A{BLOB.digest.hex}"
        )

    async def test_a_port_that_was_lost_is_put_back(self, evil, connect):
        await send_blob(evil, connect(), f"http://{evil.address}/u")

        assert ("PUT", "/u") in [(request.method, request.path) for request in evil.requests]
