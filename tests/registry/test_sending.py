"""How requests are repeated, slowed down, redirected and refused."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from replicator.embedded.guard import BasicAuth
from replicator.embedded.passwords import PlainPasswords
from replicator.errors import (
    ConfigError,
    Denied,
    NotARegistry,
    NotFound,
    OutboundRefused,
    RateLimited,
    RegistryError,
    RegistryUnavailable,
    Rejected,
    TooLarge,
    Unauthorized,
)
from replicator.events import RequestKind
from replicator.oci.reference import Tag
from replicator.registry.settings import Credentials, Timeouts
from tests.registry.clients import read
from tests.registry.test_repository import V1, push_image
from tests.support import faults as fault
from tests.support.embedded import store_image

HEAD = "HEAD", "/manifests/"
GET = "GET", "/manifests/"


@pytest.fixture
def image(faulty):
    return store_image(faulty.storage, "team/app", "v1")


@pytest.fixture
def client(open_client, faulty):
    return open_client(faulty.host)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_failure_that_passes_is_waited_for(faults, client, repository, image, status):
    faults.add(fault.answer(status, b"<html>"), *HEAD, times=2)

    assert await repository.resolve(V1) == image

    # With chance at its most: half a second, then twice as long.
    assert client.patience.slept == [0.5, 1.0]
    assert [event.reason for event in client.heard.retries] == [str(status)] * 2
    assert client.heard.requests[RequestKind.MANIFEST_HEAD] == 3


async def test_a_closed_connection_is_waited_for(faults, repository, image):
    faults.add(fault.hang_up(), *GET, nth=1)

    assert (await repository.get_manifest(V1)).descriptor == image


async def test_an_answer_that_breaks_off_is_asked_for_again(faults, repository, image):
    faults.add(fault.cut_body(10), *GET, nth=1)

    assert (await repository.get_manifest(V1)).descriptor == image


async def test_what_fails_for_good_is_given_up_after_the_retries(
    open_client, faults, faulty, image
):
    client = open_client(faulty.host, retries=2)
    faults.add(fault.answer(503), *HEAD)

    with pytest.raises(RegistryUnavailable) as failure:
        await client.registry.repository("team/app").resolve(V1)

    assert failure.value.status == 503
    assert str(failure.value) == f"{faulty.host}/team/app: HEAD manifests/v1: 503"
    assert client.heard.requests[RequestKind.MANIFEST_HEAD] == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected),
        (401, Unauthorized),
        (403, Denied),
        (404, NotFound),
        (409, Rejected),
        (413, TooLarge),
    ],
)
async def test_what_is_refused_is_not_asked_for_again(
    faults, client, repository, image, status, error
):
    faults.add(fault.answer(status), *GET)

    with pytest.raises(error) as refusal:
        await repository.get_manifest(V1)

    assert refusal.value.status == status

    assert client.heard.requests[RequestKind.MANIFEST_GET] == 1


async def test_the_registry_says_how_long_to_wait(faults, client, repository, image):
    faults.add(fault.answer(429, headers={"Retry-After": "7"}), *HEAD, nth=1)

    await repository.resolve(V1)

    assert client.patience.slept[0] == 7.5  # and a moment of our own


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_is_too_long_is_left_to_others(faults, client, repository, image, status):
    faults.add(fault.answer(status, headers={"Retry-After": "3600"}), *HEAD)

    with pytest.raises(RateLimited) as refusal:
        await repository.resolve(V1)

    assert refusal.value.retry_after == 3600
    assert not client.patience.slept


async def test_a_token_service_that_wants_to_be_left_alone_is_left_alone(open_client):
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            asked.append(request)
            return httpx.Response(429, headers={"Retry-After": "3600"})
        challenge = 'Bearer realm="http://registry.test/token",service="registry.test"'
        return httpx.Response(401, headers={"WWW-Authenticate": challenge})

    client = open_client("registry.test", transport=httpx.MockTransport(answer))

    with pytest.raises(RateLimited) as refusal:
        await client.registry.repository("team/app").resolve(V1)

    assert refusal.value.retry_after == 3600
    assert len(asked) == 1
    assert not client.patience.slept


@pytest.mark.parametrize("status", [429, 503])
async def test_all_wait_when_one_is_told_to(faults, client, repository, image, status):
    faults.add(fault.answer(status, headers={"Retry-After": "3600"}), *HEAD)
    with pytest.raises(RateLimited):
        await repository.resolve(V1)

    await repository.get_manifest(V1)

    assert client.patience.slept == [60.0]  # as long as we wait at most


async def test_too_many_requests_is_known_by_its_code_as_well(faults, repository, image):
    faults.add(fault.answer(403, fault.error_body("TOOMANYREQUESTS")), *GET, nth=1)

    assert (await repository.get_manifest(V1)).descriptor == image


async def test_a_refused_connection_is_an_unavailable_registry(open_client):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RegistryUnavailable, match="no answer") as failure:
            await open_client(host, retries=1).registry.repository("team/app").resolve(V1)

    assert failure.value.status is None
    assert failure.value.registry == host


async def test_a_silent_registry_is_given_up(open_client, faults, faulty, image):
    faults.add(fault.hold(asyncio.Event()), *HEAD)
    client = open_client(faulty.host, retries=0, timeouts=Timeouts(idle=0.2))

    with pytest.raises(RegistryUnavailable, match="too slow"):
        await client.registry.repository("team/app").resolve(V1)


async def test_a_try_that_nobody_answers_is_told_with_its_silence(open_client, faults, faulty):
    faults.add(fault.hold(asyncio.Event()), *HEAD)
    client = open_client(faulty.host, retries=2, timeouts=Timeouts(idle=0.05))
    client.patience.look = 60.0

    with pytest.raises(RegistryUnavailable):
        await client.registry.repository("team/app").resolve(V1)

    retries = client.heard.retries
    assert [(each.number, each.tries) for each in retries] == [(2, 3), (3, 3)]
    assert all(each.silence >= 60.0 for each in retries)


async def test_an_answer_that_is_an_error_is_no_silence(open_client, faults, faulty, image):
    faults.add(fault.answer(503), *HEAD, times=1)
    client = open_client(faulty.host, retries=2)
    client.patience.look = 60.0

    await client.registry.repository("team/app").resolve(V1)

    (retried,) = client.heard.retries
    assert (retried.silence, retried.number, retried.tries) == (0.0, 2, 3)


async def test_a_registry_that_never_stops_is_cut_short(faults, repository, image):
    faults.add(
        fault.endless_body(200, headers={"Content-Type": "application/json"}), "GET", "/tags/"
    )

    with pytest.raises(RegistryError, match="not complete"):
        _ = [page async for page in repository.list_tags()]


async def test_an_endless_error_is_cut_short(faults, repository, image):
    faults.add(fault.endless_body(400), *GET)

    with pytest.raises(Rejected, match="400"):
        await repository.get_manifest(V1)


async def test_a_web_page_is_not_a_registry(faults, client, repository, image):
    page = fault.answer(200, b"<html>hello", headers={"Content-Type": "text/html"})
    faults.add(page)

    with pytest.raises(NotARegistry, match="a web page"):
        await client.registry.ping()
    with pytest.raises(NotARegistry, match="a web page"):
        await repository.resolve(V1)
    with pytest.raises(NotARegistry, match="a web page"):
        await repository.get_manifest(V1)
    with pytest.raises(NotARegistry, match="a web page"):
        _ = [page async for page in repository.list_tags()]


async def test_a_compressed_manifest_is_refused(faults, repository, image):
    faults.add(fault.gzip_body(), *GET)

    with pytest.raises(NotARegistry, match="compressed"):
        await repository.get_manifest(V1)


async def test_a_compressed_blob_is_refused(faults, repository, image):
    manifest = await repository.get_manifest(V1)
    faults.add(fault.gzip_body(), "GET", "/blobs/")

    with pytest.raises(NotARegistry, match="compressed"):
        async with repository.read_blob(manifest.layers[0]) as pieces:
            await read(pieces)


async def test_the_registrys_words_are_short_and_on_one_line(faults, repository, image):
    words = "line\nbreak \x1b[31m" + "x" * 1000
    faults.add(fault.answer(403, fault.error_body("DENIED", words)), *GET)

    with pytest.raises(Denied) as refusal:
        await repository.get_manifest(V1)

    message = str(refusal.value)
    assert message.isprintable()
    assert "403 DENIED line break" in message
    assert len(message) < 400
    assert refusal.value.codes == ("DENIED",)


async def test_a_redirect_is_followed(faults, faulty, start_registry, repository, image):
    other = await start_registry(faulty.storage)
    faults.add(fault.redirect(other.url), *GET)

    assert (await repository.get_manifest(V1)).descriptor == image
    assert len(other.requests) == 1


async def test_a_redirect_within_the_registry_keeps_the_login(start_registry, open_client):
    async def to_library(app, scope, receive, send):
        if "/proxy/app/" in scope["path"]:
            place = scope["path"].replace("/proxy/app/", "/proxy/library/app/")
            await fault.answer(301, headers={"Location": place})(app, scope, receive, send)
            return
        await app(scope, receive, send)

    faults = fault.Faults()
    faults.add(to_library)
    auth = BasicAuth(PlainPasswords({"alice": "wonderland"}))
    registry = await start_registry(auth=auth, wrap=faults)
    stored = store_image(registry.storage, "proxy/library/app", "v1")
    login = Credentials("alice", "wonderland")
    repository = open_client(registry.host, login=login).registry.repository("proxy/app")

    assert (await repository.get_manifest(V1)).descriptor == stored


async def test_a_redirect_in_a_circle_ends(faults, faulty, client, repository, image):
    faults.add(fault.redirect(faulty.url), *GET)

    with pytest.raises(NotARegistry, match="redirects"):
        await repository.get_manifest(V1)

    assert client.heard.requests[RequestKind.MANIFEST_GET] == 6


async def test_a_redirect_to_the_metadata_service_is_refused(faults, repository, image):
    faults.add(fault.redirect("http://169.254.169.254"), *GET)

    with pytest.raises(OutboundRefused):
        await repository.get_manifest(V1)


async def test_a_write_is_not_sent_on(faults, faulty, start_registry, repository, image):
    other = await start_registry()
    faults.add(fault.redirect(other.url), "PUT")

    with pytest.raises(NotARegistry, match="307"):
        await push_image(repository, Tag("v2"))

    assert not len(other.requests)


async def test_each_warning_is_passed_on_once(faults, client, repository, image):
    faults.add(fault.set_header("Warning", '299 - "this repository will go"'))

    await repository.resolve(V1)
    await repository.get_manifest(V1)

    assert client.heard.warnings == ['299 - "this repository will go"']


async def test_the_same_client_works_over_the_librarys_own_transport(open_client, faulty):
    transport = httpx.AsyncHTTPTransport(trust_env=False)
    repository = open_client(faulty.host, transport=transport).registry.repository("team/app")

    image = await push_image(repository)

    assert await repository.get_manifest(V1) == image
    async with repository.read_blob(image.layers[0]) as pieces:
        assert sum([len(piece) async for piece in pieces]) == 3000


async def test_a_registry_is_reached_through_a_proxy(open_client, faulty):
    seen = []

    async def forward(reader, writer):
        """Forward one request, of which the first line names the whole URL."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, url, rest = head.split(" ", 2)
        seen.append(url)
        host, port = faulty.host.split(":")
        there, back = await asyncio.open_connection(host, int(port))
        path = url.removeprefix(faulty.url)
        back.write(
            f"{method} {path} {rest}".replace("\r\n", "\r\nConnection: close\r\n", 1).encode()
        )
        writer.write(await there.read())
        back.close()
        writer.close()

    image = store_image(faulty.storage, "team/app", "v1")
    async with await asyncio.start_server(forward, "127.0.0.1", 0) as server:
        proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        repository = open_client(faulty.host, proxy=proxy).registry.repository("team/app")
        assert await repository.resolve(V1) == image

    assert seen == [f"{faulty.url}/v2/team/app/manifests/v1"]


def test_a_proxy_that_cannot_be_used_is_a_mistake_in_the_configuration(open_client):
    with pytest.raises(ConfigError, match="proxy"):
        open_client("registry.example.com", proxy="ftp://proxy.example.com")


async def test_no_more_requests_than_allowed_reach_the_registry(open_client, faults, faulty, image):
    client = open_client(faulty.host, max_concurrency=3)
    repository = client.registry.repository("team/app")
    everybody_is_there = asyncio.Event()
    under_way, most = 0, 0

    async def count(app, scope, receive, send):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 3:
            everybody_is_there.set()
        await everybody_is_there.wait()
        under_way -= 1
        await app(scope, receive, send)

    faults.add(count)

    await asyncio.gather(*(repository.resolve(V1) for _ in range(20)))

    assert most == 3


async def test_all_types_of_manifests_are_accepted_and_no_coding(faults, faulty, repository, image):
    seen = {}

    async def look(app, scope, receive, send):
        seen.update(scope["headers"])
        await app(scope, receive, send)

    faults.add(look)
    await repository.resolve(V1)

    assert len(seen[b"accept"].split(b",")) == 7
    assert seen[b"accept-encoding"] == b"identity"
    assert seen[b"user-agent"].startswith(b"replicator/")
