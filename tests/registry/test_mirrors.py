"""Mirrors: read first, by digest alone, and never believed."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from replicator.embedded.server import EmbeddedRegistry
from replicator.errors import ConfigError, ContentMismatch, NotFound, RegistryUnavailable
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.oci.verify import Verifier
from replicator.registry.client import open_registry
from replicator.registry.mirrors import Mirrors
from replicator.registry.settings import Credentials, RegistrySettings
from tests.registry.clients import Heard, Patience, read
from tests.support import faults as fault
from tests.support.embedded import random_bytes, store_blob, store_image
from tests.support.faults import Faults

SIZE = 3_000_000
CONTENT = random_bytes("a blob", SIZE)
ANY_BLOB = "GET", "/blobs/"


class Place:
    """A registry that misbehaves as it is told, and what it was asked for."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.requests: list[str] = []
        self.ranges: list[str] = []
        self.logins: list[str] = []
        self.registry = EmbeddedRegistry(wrap=self.faults)
        self.faults.add(self._note)

    @property
    def host(self) -> str:
        return self.registry.host

    def store_blob(self, path: str = "team/app", content: bytes = CONTENT):
        return store_blob(self.registry.storage, path, content)

    def store_image(self, path: str = "team/app", tag: str | None = "v1"):
        return store_image(self.registry.storage, path, tag)

    async def _note(self, app, scope, receive, send) -> None:
        headers = dict(scope["headers"])
        if scope["path"] != "/v2/":
            self.requests.append(f"{scope['method']} {scope['path'].removeprefix('/v2/')}")
            self.ranges.append(headers.get(b"range", b"").decode())
        self.logins.append(headers.get(b"authorization", b"").decode())
        await app(scope, receive, send)


class Keys:
    """Each host's own login."""

    def __init__(self) -> None:
        self.logins: dict[str, Credentials] = {}

    async def credentials_for(self, registry: str) -> Credentials | None:
        return self.logins.get(registry)


@pytest.fixture
async def places():
    """The upstream and two mirrors."""
    async with AsyncExitStack() as stack:
        places = [Place() for _ in range(3)]
        for place in places:
            await stack.enter_async_context(place.registry)
        yield places


@pytest.fixture
def upstream(places):
    return places[0]


@pytest.fixture
def mirror(places):
    return places[1]


@pytest.fixture
def second(places):
    return places[2]


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def patience():
    return Patience()


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
async def connect(upstream, heard, patience, keys):
    """Opens the upstream's repository team/app with these mirrors."""
    async with AsyncExitStack() as stack:

        def connect(*mirrors, path="team/app", entries=None):
            registry = open_registry(
                RegistrySettings(upstream.host, plain_http=True, mirrors=mirrors),
                keychain=keys,
                entries=entries,
                listener=heard,
                clock=patience.clock,
            )
            stack.push_async_callback(registry.aclose)
            return registry.repository(path)

        yield connect


@pytest.fixture
def repository(connect, mirror, second):
    return connect(f"http://{mirror.host}", f"http://{second.host}")


async def read_blob(repository, blob, verifier=None):
    async with repository.read_blob(blob, verifier=verifier) as pieces:
        return await read(pieces)


async def test_content_comes_from_the_first_mirror_that_has_it(
    repository, upstream, mirror, second
):
    image = upstream.store_image()
    second.store_image()
    blob = second.store_blob()

    manifest = await repository.get_manifest(image.digest)

    assert manifest.digest == image.digest
    assert await read_blob(repository, blob) == CONTENT
    asked = [f"GET team/app/manifests/{image.digest}", f"GET team/app/blobs/{blob.digest}"]
    assert mirror.requests == second.requests == asked
    assert upstream.requests == []


async def test_what_no_mirror_has_comes_from_the_registry_itself(repository, upstream):
    image, blob = upstream.store_image(), upstream.store_blob()

    assert (await repository.get_manifest(image.digest)).digest == image.digest
    assert await read_blob(repository, blob) == CONTENT


async def test_what_is_nowhere_is_not_found(repository, upstream):
    upstream.store_image()

    with pytest.raises(NotFound) as caught:
        await repository.get_manifest(Digest.of(b"absent"))

    assert caught.value.registry == upstream.host


async def test_tags_lists_referrers_and_writes_are_not_for_mirrors(
    repository, upstream, mirror, second
):
    image = upstream.store_image()
    mirror.store_image(tag="stale")
    mirror.store_blob()

    assert (await repository.resolve(Tag("v1"))).digest == image.digest
    assert (await repository.resolve(image.digest)).digest == image.digest
    manifest = await repository.get_manifest(Tag("v1"))
    assert [page async for page in repository.list_tags()] == [(Tag("v1"),)]
    assert await repository.list_referrers(image.digest) == ()
    assert await repository.signature_tags(image.digest) == ()
    assert not await repository.has_blob(mirror.store_blob())
    await repository.put_manifest(manifest, Tag("v2"))

    assert mirror.requests == second.requests == []


async def test_no_namespace_is_named_to_a_mirror(repository, upstream, mirror):
    image = mirror.store_image()

    await repository.get_manifest(image.digest)

    assert mirror.registry.requests.count("GET", "/manifests/") == 1
    assert mirror.registry.requests.count("GET", "[?&]ns=") == 0


class TestTagsWhileTheRegistryCannotBeReached:
    @pytest.fixture
    def resolving(self, connect, upstream, mirror):
        """The repository with a mirror that may resolve tags, and an upstream that hangs up."""
        upstream.faults.add(fault.hang_up())
        entry = RegistrySettings(mirror.host, plain_http=True, resolve_tags=True)
        return connect(f"http://{mirror.host}", entries={mirror.host: entry})

    async def test_a_mirror_that_may_say_so_names_them_and_that_is_said(
        self, resolving, upstream, mirror, heard
    ):
        image = mirror.store_image()

        assert (await resolving.resolve(Tag("v1"))).digest == image.digest
        asked = len(upstream.requests)
        assert (await resolving.get_manifest(Tag("v1"))).digest == image.digest

        assert len(upstream.requests) == asked  # it is not waited for again
        assert len([each for each in heard.warnings if "said by this mirror" in each]) == 1

    async def test_other_mirrors_are_not_asked(self, connect, upstream, mirror):
        upstream.faults.add(fault.hang_up())
        mirror.store_image()
        repository = connect(f"http://{mirror.host}")

        with pytest.raises(RegistryUnavailable):
            await repository.resolve(Tag("v1"))
        assert mirror.requests == []

    async def test_what_the_mirror_lacks_is_not_said_to_be_gone(self, resolving):
        with pytest.raises(RegistryUnavailable):
            await resolving.resolve(Tag("v1"))

    async def test_a_registry_that_answers_is_believed(self, connect, upstream, mirror):
        entry = RegistrySettings(mirror.host, plain_http=True, resolve_tags=True)
        repository = connect(f"http://{mirror.host}", entries={mirror.host: entry})
        mirror.store_image()

        with pytest.raises(NotFound):
            await repository.resolve(Tag("v1"))


@pytest.mark.parametrize(
    "wrong",
    [
        fault.answer(401, headers={"WWW-Authenticate": "Basic"}),
        fault.answer(403),
        fault.answer(405),
        fault.answer(429, headers={"Retry-After": "3600"}),
        fault.answer(503),
        fault.answer(200, b"<html>", headers={"Content-Type": "text/html"}),
        fault.gzip_body(),
        fault.hang_up(),
    ],
)
async def test_a_mirror_that_fails_costs_no_wait_and_the_next_place_is_asked(
    repository, mirror, second, patience, wrong
):
    mirror.faults.add(wrong, "GET", "/(blobs|manifests)/")
    for place in (mirror, second):
        image, blob = place.store_image(), place.store_blob()

    assert (await repository.get_manifest(image.digest)).digest == image.digest
    assert await read_blob(repository, blob) == CONTENT
    assert patience.slept == []


async def test_a_mirror_that_is_not_there_is_passed_over(connect, upstream):
    blob = upstream.store_blob()

    assert await read_blob(connect("http://127.0.0.1:1"), blob) == CONTENT


async def test_a_read_that_breaks_goes_on_at_the_next_place(repository, upstream, mirror, second):
    for place in (upstream, mirror, second):
        blob = place.store_blob()
    mirror.faults.add(fault.cut_body(1_000_000), *ANY_BLOB, nth=1)
    mirror.faults.add(fault.answer(503), *ANY_BLOB, nth=2)
    second.faults.add(fault.answer(503), *ANY_BLOB)

    assert await read_blob(repository, blob) == CONTENT
    assert upstream.ranges == second.ranges == ["bytes=1000000-"]


async def test_a_read_from_the_middle_on_is_one_at_the_mirror_too(repository, mirror):
    blob = mirror.store_blob()
    verifier = Verifier(blob)
    verifier.update(CONTENT[:1000])

    assert await read_blob(repository, blob, verifier) == CONTENT[1000:]
    assert mirror.ranges == ["bytes=1000-"]


async def test_a_wrong_blob_is_an_error_and_its_mirror_is_not_asked_again(
    repository, upstream, mirror, heard, patience
):
    blob = mirror.store_blob()
    upstream.store_blob()
    mirror.faults.add(fault.flip_byte(5), *ANY_BLOB)

    with pytest.raises(ContentMismatch):
        await read_blob(repository, blob)
    patience.seconds += 1_000_000
    assert await read_blob(repository, blob) == CONTENT

    assert len(mirror.requests) == 1
    assert len(heard.warnings) == 1


async def test_a_wrong_blob_of_which_nothing_was_given_out_yet_is_read_elsewhere(
    repository, upstream, mirror
):
    small = random_bytes("small", 1000)
    blob = mirror.store_blob(content=small)
    upstream.store_blob(content=small)
    mirror.faults.add(fault.flip_byte(5), *ANY_BLOB)

    assert await read_blob(repository, blob) == small
    assert await read_blob(repository, blob) == small
    assert len(mirror.requests) == 1


async def test_who_gave_the_wrong_beginning_of_a_blob_is_found_out_at_its_end(
    repository, upstream, mirror
):
    blob = mirror.store_blob()
    upstream.store_blob()
    mirror.faults.add(fault.cut_body(1_000_000), *ANY_BLOB, nth=1)
    mirror.faults.add(fault.flip_byte(5), *ANY_BLOB, nth=1)
    mirror.faults.add(fault.answer(503), *ANY_BLOB, nth=2)

    with pytest.raises(ContentMismatch):
        await read_blob(repository, blob)
    asked = len(mirror.requests)
    assert await read_blob(repository, blob) == CONTENT

    assert len(mirror.requests) == asked


async def test_a_wrong_manifest_is_fetched_elsewhere_and_its_mirror_not_asked_again(
    repository, upstream, mirror, heard
):
    image = mirror.store_image()
    upstream.store_image()
    mirror.faults.add(fault.edit_body(lambda body: body + b" "), "GET", "/manifests/")

    assert (await repository.get_manifest(image.digest)).digest == image.digest
    asked = len(mirror.requests)
    await repository.get_manifest(image.digest)

    assert len(mirror.requests) == asked
    assert len(heard.warnings) == 1


async def test_after_three_failures_in_a_row_a_mirror_is_left_alone_for_five_minutes(
    repository, upstream, mirror, heard, patience
):
    blob = upstream.store_blob()
    broken = mirror.faults.add(fault.answer(500), *ANY_BLOB)

    for _ in range(5):
        await read_blob(repository, blob)
    assert broken.hits == 3
    assert len(heard.warnings) == 1

    patience.seconds += 299
    await read_blob(repository, blob)
    assert broken.hits == 3

    patience.seconds += 2
    await read_blob(repository, blob)
    await read_blob(repository, blob)
    assert broken.hits == 4


async def test_a_mirror_that_limits_us_is_left_alone_at_once(
    repository, upstream, mirror, patience
):
    blob = upstream.store_blob()
    refusing = mirror.faults.add(fault.answer(429, headers={"Retry-After": "3600"}), *ANY_BLOB)

    await read_blob(repository, blob)
    await read_blob(repository, blob)
    assert refusing.hits == 1

    patience.seconds += 301
    await read_blob(repository, blob)
    assert refusing.hits == 2
    assert patience.slept == []


async def test_a_success_between_failures_makes_them_no_row(repository, mirror, upstream):
    upstream.store_blob()
    blob = mirror.store_blob()
    for nth in (1, 2, 4, 5):
        mirror.faults.add(fault.answer(500), *ANY_BLOB, nth=nth)

    for _ in range(7):
        await read_blob(repository, blob)

    assert len(mirror.requests) == 7


async def test_a_mirror_that_lacks_much_is_not_a_broken_one(repository, upstream, mirror):
    blob = upstream.store_blob()

    for _ in range(5):
        await read_blob(repository, blob)

    assert len(mirror.requests) == 5


async def test_a_mirror_gets_its_own_login_and_not_the_registrys(connect, upstream, mirror, keys):
    keys.logins[upstream.host] = Credentials("upstream", "secret")
    challenge = fault.answer(401, headers={"WWW-Authenticate": "Basic"})
    upstream.store_image()
    image = mirror.store_image()
    mirror.faults.add(challenge)

    await connect(f"http://{mirror.host}").get_manifest(image.digest)
    assert set(mirror.logins) == {""}

    keys.logins[mirror.host] = Credentials("mirror", "secret")
    await connect(f"http://{mirror.host}").get_manifest(image.digest)
    assert set(mirror.logins) == {"", "Basic bWlycm9yOnNlY3JldA=="}


async def test_a_mirror_with_a_path_has_it_before_the_repositorys(connect, mirror):
    image = mirror.store_image("docker.io/library/nginx")
    repository = connect(f"http://{mirror.host}/docker.io/", path="library/nginx")

    assert (await repository.get_manifest(image.digest)).digest == image.digest


async def test_a_mirror_is_reached_as_its_own_entry_says(connect, mirror):
    image = mirror.store_image()
    entry = RegistrySettings("mirror.example.com", endpoint=f"http://{mirror.host}")
    repository = connect("https://mirror.example.com", entries={entry.name: entry})

    assert (await repository.get_manifest(image.digest)).digest == image.digest


async def test_mirrors_of_a_mirror_are_not_asked(connect, upstream, mirror, second):
    image = upstream.store_image()
    second.store_image()
    url = f"http://{second.host}"
    entry = RegistrySettings(mirror.host, mirrors=(url,))

    await connect(f"http://{mirror.host}", entries={entry.name: entry}).get_manifest(image.digest)

    assert second.requests == []


@pytest.mark.parametrize("url", ["https://mirror.example.com/Upper", "https://", "https://[::1"])
def test_a_mirror_that_can_hold_no_repository_is_refused(connect, url):
    with pytest.raises(ConfigError, match="mirrors: "):
        connect(url)


class Shared:
    """A mirror that writes down among how many processes it is shared."""

    def __init__(self):
        self.among = None

    def divide_limits(self, among):
        self.among = among

    def repository(self, path):
        return self

    async def resolve(self, tag):
        raise NotFound("not here")


async def test_the_limits_of_mirrors_are_divided_also_of_one_opened_later(patience):
    opened = {}
    mirrors = Mirrors(
        RegistrySettings("a.io", mirrors=("https://one.io", "https://two.io")),
        {name: RegistrySettings(name, resolve_tags=True) for name in ("one.io", "two.io")},
        open_mirror=lambda settings: opened.setdefault(settings.name, Shared()),
        listener=lambda event: None,
        clock=patience.clock,
    )

    mirrors.divide_limits(2)
    await mirrors.resolve("team/app", Tag("1"))
    first = {name: each.among for name, each in opened.items()}
    mirrors.divide_limits(3)

    assert first == {"one.io": 2, "two.io": 2}
    assert {name: each.among for name, each in opened.items()} == {"one.io": 3, "two.io": 3}
