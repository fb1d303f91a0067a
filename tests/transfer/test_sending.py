"""A broken upload goes on where it stopped, as long as it gets on."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.errors import Denied, NotFound, RateLimited, RegistryUnavailable, Rejected, TooLarge
from replicator.events import BlobProgressed, BlobStarted
from replicator.oci.descriptor import Descriptor
from tests.transfer.conftest import World
from tests.transfer.fakes import PIECE, FakeUpload, Faults
from tests.transfer.images import add_image, add_layer
from tests.transfer.virtual_time import VirtualTimeLoop

SIZE = 12 * 1024 * 1024
MIB = 1024 * 1024


def large_image(world, size: int = SIZE) -> Descriptor:
    layer = add_layer(world.source, "large", size)
    add_image(world.source, "v1", layers=[layer])
    return layer


def sends_of(world, layer: Descriptor) -> list[int]:
    """The offsets at which the layer was sent on."""
    return [
        call.offset
        for call in world.registry.calls
        if call.action == "send" and call.subject == str(layer.digest)
    ]


@pytest.fixture
def faults(world) -> Faults:
    world.registry.hook = faults = Faults()
    return faults


async def test_it_goes_on_where_the_session_stopped(world, faults):
    layer = large_image(world)
    faults.fail("send_piece", str(layer.digest), offset=160 * PIECE)

    result = await world.copy()

    assert sends_of(world, layer) == [0, 160 * PIECE]
    assert world.destination.reachable(result.digest)
    # The hash goes back to its last checkpoint, so what lies between is read once more.
    reads = [c.offset for c in world.source_registry.calls if c.action == "read_blob"]
    assert reads[-1] == 8 * MIB


async def test_it_starts_again_when_the_session_forgot(world, faults):
    world.registry.resumes = False
    layer = large_image(world)
    faults.fail("send_piece", str(layer.digest), offset=160 * PIECE)

    await world.copy()

    assert sends_of(world, layer) == [0, 0]
    assert world.registry.called("offer_blob").count(str(layer.digest)) == 2


async def test_it_goes_on_for_as_long_as_it_gets_on(world, faults):
    layer = large_image(world)
    for mebibyte in range(1, 12):
        faults.fail("send_piece", str(layer.digest), offset=mebibyte * MIB)

    await world.copy()

    assert sends_of(world, layer) == [mebibyte * MIB for mebibyte in range(12)]


async def test_without_progress_it_ends(world, faults):
    layer = large_image(world)
    faults.fail("send_piece", str(layer.digest), offset=0, times=99)

    (result,) = await world.transfer.copy(world.order())

    assert isinstance(result.error, RegistryUnavailable)
    assert (result.side, result.attempts) == ("destination", 4)
    assert len(sends_of(world, layer)) == 4


async def test_a_blob_whose_last_answer_was_lost_is_not_sent_again(world, faults):
    layer = large_image(world)

    async def store_and_break(call):
        if call.action == "close_upload" and call.subject == str(layer.digest):
            world.destination.blobs[layer.digest] = world.source.blobs[layer.digest]
            raise RegistryUnavailable("502", status=502)

    world.registry.hook = store_and_break
    result = await world.copy()

    assert result.error is None
    assert sends_of(world, layer) == [0]


async def test_a_close_that_failed_is_repeated_without_the_bytes(world, faults):
    layer = large_image(world)
    faults.fail("close_upload", str(layer.digest))

    await world.copy()

    assert sends_of(world, layer) == [0, SIZE]
    assert len([c for c in world.registry.calls if c.action == "send_piece"]) < SIZE // PIECE + 10


async def test_a_session_that_claims_more_than_it_was_given_is_left(world, faults, monkeypatch):
    layer = large_image(world)
    faults.fail("send_piece", str(layer.digest), offset=MIB)

    async def claim_it_all(upload) -> int:
        return SIZE

    monkeypatch.setattr(FakeUpload, "received", claim_it_all)
    result = await world.copy()

    assert sends_of(world, layer) == [0, 0]
    assert world.destination.reachable(result.digest)


@pytest.mark.parametrize(
    "error",
    [
        Denied("no", status=403),
        TooLarge("too large", status=413),
        RateLimited("slow down", retry_after=3600),
        Rejected("no", status=400, codes=("NAME_INVALID",)),
        NotFound("no", status=404),
    ],
)
async def test_what_will_not_pass_is_final(world, faults, error):
    layer = large_image(world)
    faults.fail("send_piece", str(layer.digest), offset=MIB, error=error)

    (result,) = await world.transfer.copy(world.order())

    assert result.error is error
    assert sends_of(world, layer) == [0]


async def test_the_source_that_breaks_while_sending_is_blamed_itself(world):
    layer = large_image(world)
    faults = Faults()
    faults.fail("read_piece", str(layer.digest), offset=MIB)
    world.source_registry.hook = faults

    (result,) = await world.transfer.copy(world.order())

    assert isinstance(result.error, RegistryUnavailable)
    assert result.side == "source"
    assert sends_of(world, layer) == [0]


@settings(max_examples=40)
@given(breaks=st.lists(st.integers(0, 3 * MIB // PIECE - 1), max_size=3), resumes=st.booleans())
def test_progress_adds_up_to_the_size_whatever_breaks(breaks, resumes):
    world = World()
    world.registry.resumes = resumes
    world.registry.hook = faults = Faults()
    layer = large_image(world, 3 * MIB)
    for piece in breaks:
        faults.fail("send_piece", str(layer.digest), offset=piece * PIECE)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        result = runner.run(world.copy())

    progress = [
        event.size
        for event in world.events
        if isinstance(event, BlobProgressed) and event.digest == layer.digest
    ]
    assert sum(progress) == 3 * MIB
    assert world.destination.reachable(result.digest)
    # No more often than every 256 KiB, but for what was not announced when an upload broke.
    taken = sum(size for size in progress if size > 0)
    assert len(progress) <= taken // (256 * 1024) + 3 * (len(breaks) + 1)
    started = [event for event in world.events if isinstance(event, BlobStarted)]
    assert len([event for event in started if event.digest == layer.digest]) == 1
