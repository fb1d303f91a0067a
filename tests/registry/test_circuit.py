"""A registry that is silent is left alone, and asked now and then whether it is back."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

from replicator.errors import NotFound, RegistryError, RegistryUnavailable
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.registry.client import open_registry
from replicator.registry.retry import Clock
from replicator.registry.settings import RegistrySettings
from tests.registry.clients import Keys, read
from tests.transfer.virtual_time import in_virtual_time

IDLE = 60.0
MIB = 1024 * 1024


class Host(httpx.AsyncBaseTransport):
    """A registry without anything in it; *answers* says after how many seconds it says so.

    None means never. *refuses* connections instead.
    """

    def __init__(self, answers=0.0, *, refuses=False, status=404):
        self.answers, self.refuses, self.status = answers, refuses, status
        self.requests = 0

    async def handle_async_request(self, request):
        self.requests += 1
        if self.refuses:
            raise httpx.ConnectError("refused")
        answers = self.answers(self.requests) if callable(self.answers) else self.answers
        if answers is None:
            await asyncio.sleep(IDLE)
            raise httpx.ReadTimeout("")
        await asyncio.sleep(answers)
        return httpx.Response(self.status, content=b"")


def open_one(host, name="registry.example"):
    loop = asyncio.get_running_loop()
    clock = Clock(monotonic=loop.time, now=loop.time, sleep=asyncio.sleep, random=lambda: 1.0)
    return open_registry(
        RegistrySettings(name, plain_http=True), keychain=Keys(), clock=clock, transport=host
    ).repository("team/app")


async def ask(repository, tag="v1"):
    """Return the error, which there always is."""
    with pytest.raises(RegistryError) as failure:
        await repository.resolve(Tag(tag))
    return failure.value


async def ask_all(repository, count, *, at_once=32):
    """Ask for many tags as a run does: some of them at once."""
    slots = asyncio.Semaphore(at_once)

    async def one(number):
        async with slots:
            return await ask(repository, f"v{number}")

    return await asyncio.gather(*map(one, range(count)))


def now():
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("at_once", [32, 1000])
@in_virtual_time
async def test_a_thousand_tags_of_a_silent_registry_end_within_minutes(at_once):
    host = Host(None)

    errors = await ask_all(open_one(host), 1000, at_once=at_once)

    assert now() < 10 * 60
    assert host.requests < 1000
    assert {type(error) for error in errors} == {RegistryUnavailable}
    last = str(errors[-1])
    assert last.startswith("registry.example/team/app: HEAD manifests/v999: not asked, as nothing")
    assert last.endswith(" s")


@in_virtual_time
async def test_other_registries_are_asked_as_ever():
    silent, well = open_one(Host(None)), open_one(Host(), "other.example")
    await ask_all(silent, 100)
    began = now()

    errors = await ask_all(well, 100)

    assert {type(error) for error in errors} == {NotFound}
    assert now() == began


@in_virtual_time
async def test_a_registry_that_is_slow_but_alive_is_asked_for_everything():
    host = Host(IDLE - 1)

    errors = await ask_all(open_one(host), 200)

    assert {type(error) for error in errors} == {NotFound}


@in_virtual_time
async def test_one_answer_now_and_then_is_enough():
    """Most requests are given up here, but never is there silence for long."""
    host = Host(lambda number: 30.0 if number % 20 == 0 else None)

    errors = await ask_all(open_one(host), 300)

    assert not [error for error in errors if "not asked" in str(error)]


@in_virtual_time
async def test_an_error_is_an_answer():
    host = Host(status=503)

    errors = await ask_all(open_one(host), 300)

    assert Counter(error.status for error in errors) == {503: 300}
    assert host.requests == 300 * 5


@in_virtual_time
async def test_a_registry_that_is_started_anew_is_waited_for():
    """Requests are given up meanwhile, but those after it are made."""
    host = Host(refuses=True)
    repository = open_one(host)
    while now() < 150:
        await ask_all(repository, 10)
    host.refuses = False

    assert isinstance(await ask(repository), NotFound)


@in_virtual_time
async def test_a_registry_that_is_back_is_asked_for_everything_again():
    host = Host(None)
    repository = open_one(host)
    await ask_all(repository, 100)
    assert "not asked" in str(await ask(repository))
    host.answers = 0.0
    await asyncio.sleep(30)

    errors = [await ask(repository), *await ask_all(repository, 100)]

    assert {type(error) for error in errors} == {NotFound}


@in_virtual_time
async def test_whether_it_is_back_is_tried_by_one_request_and_once():
    host = Host(None)
    repository = open_one(host)
    await ask_all(repository, 100)
    await asyncio.sleep(30)
    before, began = host.requests, now()

    errors = await ask_all(repository, 100)

    assert host.requests - before == 1
    assert all("not asked" in str(error) for error in errors)
    assert now() - began < IDLE + 5


@in_virtual_time
async def test_who_repeats_a_request_when_it_is_known_to_be_in_vain_stops():
    """The others had begun a little earlier."""
    host = Host(None)
    repository = open_one(host)
    early = [asyncio.create_task(ask(repository, f"v{number}")) for number in range(3)]
    await asyncio.sleep(IDLE * 3)
    began = host.requests
    late = asyncio.create_task(ask(repository, "late"))

    await asyncio.gather(*early)
    error = await late

    assert "not asked" in str(error)
    # A whole request would have been five.
    assert host.requests - began - 3 < 5


class Trickle(httpx.AsyncByteStream):
    """The bytes of a blob, a mebibyte now and then."""

    def __init__(self, content):
        self.content = content

    async def __aiter__(self):
        for start in range(0, len(self.content), MIB):
            await asyncio.sleep(IDLE - 1)
            yield self.content[start : start + MIB]


class Trickling(Host):
    """A registry that has one blob, and is silent otherwise."""

    blob = bytes(10 * MIB)

    async def handle_async_request(self, request):
        if "/blobs/" not in request.url.path:
            return await super().handle_async_request(request)
        return httpx.Response(200, stream=Trickle(self.blob))


@in_virtual_time
async def test_a_registry_that_sends_a_blob_is_not_silent():
    host = Trickling(None)
    repository = open_one(host)
    blob = Descriptor("application/octet-stream", Digest.of(host.blob), len(host.blob))

    async with repository.read_blob(blob) as pieces:
        reading = asyncio.create_task(read(pieces))
        errors = await ask_all(repository, 20)

        assert await reading == host.blob
    assert now() > 300
    assert not [error for error in errors if "not asked" in str(error)]
