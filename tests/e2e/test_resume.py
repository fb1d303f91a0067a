"""A large blob goes on where it stopped, also after the process that sent it was killed."""

from __future__ import annotations

import asyncio
import signal
import sqlite3

import pytest

from tests.fakes.quay import FakeQuay
from tests.support.contents import contents
from tests.support.embedded import store_image
from tests.support.faults import Faults, hold_body
from tests.support.gate import Gate
from tests.support.plain_repository import PlainRepository
from tests.support.relay import Relay

MIB = 1 << 20
SIZE = 64 * MIB
# Of the blob, when the process is ended; and what may be under way then between two programs.
HELD_AT = 40 * MIB
IN_FLIGHT = 20 * MIB


@pytest.fixture
async def gated_source(start_registry):
    """A registry with an image whose layer stops in the middle, once."""
    faults, gate = Faults(), Gate()
    source = await start_registry(wrap=faults)
    image = store_image(source.storage, "app", "1", layers=1, size=SIZE)
    faults.add(hold_body(gate, after=HELD_AT), "GET", "/blobs/sha256:")
    return source, image, gate


async def interrupted_run(replicate, gate, number):
    """Start a run, and end it by a signal in the middle of the blob."""
    async with replicate.started("run") as process:
        await gate.reached.wait()
        process.send_signal(number)
        await process.communicate()
    gate.set()


def write_rule(replicate, source, destination, entry=""):
    replicate.write_config(f"""
[registries."{destination.partition("/")[0]}"]
{entry}

[[rules]]
name = "app"
source = "{source}/app"
destinations = ["{destination}"]
""")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_the_next_process_sends_only_the_rest_where_the_registry_keeps_it(
    replicate, gated_source, distribution3, repository_path, number
):
    source, image, gate = gated_source
    async with Relay(distribution3.host).serving() as relay:
        write_rule(replicate, source.host, f"{relay.host}/{repository_path}")

        await interrupted_run(replicate, gate, number)
        before, mark = relay.sent, distribution3.mark()
        again = await replicate("run")

    assert again.code == 0, again.err
    assert before > HELD_AT - IN_FLIGHT
    assert relay.sent - SIZE < MIB, "bytes that the registry had were sent again"
    uploads = [
        (each.method, each.status)
        for each in distribution3.requests(mark)
        if "/blobs/uploads/" in each.uri and each.method in ("GET", "PATCH")
    ]
    assert uploads == [("GET", 204), ("PATCH", 202)]
    with PlainRepository(distribution3.address, repository_path) as repository:
        assert str(image.digest) in await asyncio.to_thread(contents, repository, "1")
    assert kept_sessions(replicate) == []


async def test_quay_gets_a_large_blob_in_a_way_that_can_be_continued(replicate, gated_source):
    source, image, gate = gated_source
    quay = FakeQuay({"org+sync": "secret"})
    quay.tokens.creators = {"org+sync"}
    (replicate.folder / "secret").write_text("secret")
    login = f'{{ username = "org+sync", password_file = "{replicate.folder}/secret" }}'
    async with quay.registry, Relay(quay.registry.host).serving() as relay:
        write_rule(
            replicate, source.host, f"{relay.host}/org/app", f'kind = "quay"\ncredential = {login}'
        )

        await interrupted_run(replicate, gate, signal.SIGKILL)
        before = relay.sent
        again = await replicate("run")

    assert again.code == 0, again.err
    assert before > HELD_AT - IN_FLIGHT
    assert relay.sent - SIZE < MIB, "bytes that the registry had were sent again"
    assert quay.storage.resolve("org/app", "1") == image.digest
    assert kept_sessions(replicate) == []


async def test_where_the_registry_keeps_nothing_the_blob_is_sent_anew(
    replicate, gated_source, distribution2, repository_path
):
    source, image, gate = gated_source
    write_rule(replicate, source.host, f"{distribution2.host}/{repository_path}")

    await interrupted_run(replicate, gate, signal.SIGKILL)
    again = await replicate("run")

    assert again.code == 0, again.err
    with PlainRepository(distribution2.address, repository_path) as repository:
        assert str(image.digest) in await asyncio.to_thread(contents, repository, "1")
    assert kept_sessions(replicate) == []


async def test_a_session_that_holds_other_bytes_is_left_for_a_new_one(
    replicate, gated_source, distribution3, repository_path
):
    source, image, gate = gated_source
    write_rule(replicate, source.host, f"{distribution3.host}/{repository_path}")

    await interrupted_run(replicate, gate, signal.SIGKILL)
    with PlainRepository(distribution3.address, repository_path) as repository:
        other = await asyncio.to_thread(repository.leave_upload, b"x" * (33 * MIB))
    with sqlite3.connect(replicate.folder / "replicator.db") as database:
        database.execute("UPDATE upload_session SET location = ?", (other,))
    again = await replicate("run")

    assert again.code == 0, again.err
    with PlainRepository(distribution3.address, repository_path) as repository:
        assert str(image.digest) in await asyncio.to_thread(contents, repository, "1")


def kept_sessions(replicate):
    with sqlite3.connect(replicate.folder / "replicator.db") as database:
        return database.execute("SELECT digest FROM upload_session").fetchall()
