"""What another process left of a large blob is not sent again; all of it is hashed again."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import ContentMismatch, RegistryUnavailable
from replicator.events import BlobProgressed
from replicator.oci.descriptor import Descriptor
from replicator.registry.protocols import LARGE
from replicator.transfer.copy import Transfer
from replicator.transfer.inventory import MemoryInventory
from tests.transfer.fakes import PIECE, Faults
from tests.transfer.images import add_image, add_layer

SIZE = LARGE + 10 * PIECE
STOP = LARGE // 2


class KilledHere(Exception):
    """Nothing in the transfer expects it, so it ends everything, as a kill does."""


class Remembered(dict):
    """Remembers uploads for longer than a Transfer lasts."""

    async def take(self, repository, digest):
        return self.get((repository, digest))

    async def keep(self, repository, blob, location, *, offset):
        self[repository, blob.digest] = location

    async def drop(self, repository, digest):
        self.pop((repository, digest), None)


@pytest.fixture
def remembered():
    return Remembered()


@pytest.fixture
def faults(world) -> Faults:
    world.registry.hook = faults = Faults()
    return faults


@pytest.fixture
def process(world, remembered):
    """Makes what a new process has: it knows what is remembered, and nothing else."""

    def start() -> Transfer:
        inventory = MemoryInventory()
        return Transfer(inventory=inventory, unfinished=remembered, listener=world.events.append)

    return start


def large_image(world, size: int = SIZE) -> Descriptor:
    layer = add_layer(world.source, "large", size)
    add_image(world.source, "v1", layers=[layer])
    return layer


def calls(world, action, layer):
    return [
        each.offset
        for each in world.registry.calls
        if each.action == action and each.subject == str(layer.digest)
    ]


async def kill(world, transfer, faults, layer, at=STOP):
    """Let a copy end in the middle of the layer, with nothing put in order."""
    faults.fail("send_piece", str(layer.digest), offset=at, error=KilledHere())
    with pytest.raises(ExceptionGroup):
        await transfer.copy(world.order())


async def test_the_next_process_goes_on_where_the_session_is(world, faults, process, remembered):
    layer = large_image(world)
    await kill(world, process(), faults, layer)
    world.events.clear()

    (result,) = await process().copy(world.order())

    assert result.error is None
    assert calls(world, "send", layer) == [0, STOP]
    assert calls(world, "offer_blob", layer) == [0]
    # The one piece that is sent twice is the one that did not arrive.
    assert calls(world, "send_piece", layer) == [
        *range(0, STOP + 1, PIECE),
        *range(STOP, SIZE, PIECE),
    ]
    progress = [
        each.size
        for each in world.events
        if isinstance(each, BlobProgressed) and each.digest == layer.digest
    ]
    assert sum(progress) == SIZE
    assert not remembered


async def test_a_small_blob_has_no_bookmark(world, faults, process, remembered):
    layer = large_image(world, LARGE - 1)

    await kill(world, process(), faults, layer)

    assert not remembered


async def test_what_was_changed_at_the_source_meanwhile_is_not_published(
    world, faults, process, remembered
):
    layer = large_image(world)
    await kill(world, process(), faults, layer)
    content = bytearray(world.source.blobs[layer.digest])
    content[0] ^= 1  # in the part that the registry has already
    world.source.blobs[layer.digest] = bytes(content)

    (result,) = await process().copy(world.order())

    assert isinstance(result.error, ContentMismatch)
    assert layer.digest not in world.destination.blobs


async def test_a_session_that_cannot_be_asked_is_as_good_as_none(
    world, faults, process, remembered
):
    layer = large_image(world)
    await kill(world, process(), faults, layer)
    faults.fail("received", str(layer.digest), error=RegistryUnavailable("503", status=503))

    (result,) = await process().copy(world.order())

    assert result.error is None
    assert calls(world, "send", layer) == [0, 0]


async def test_two_destinations_share_the_read_wherever_they_go_on(
    world, faults, process, remembered
):
    layer = large_image(world)
    await kill(world, process(), faults, layer)
    world.source_registry.calls.clear()

    results = await process().copy(world.order(to=(world.destination, world.other)))

    assert [each.error for each in results] == [None, None]
    reads = [
        each.offset
        for each in world.source_registry.calls
        if each.action == "read_blob" and each.subject == str(layer.digest)
    ]
    assert reads == [0]


async def test_what_an_earlier_process_sent_is_no_traffic_of_the_next(
    world, faults, process, remembered
):
    layer = large_image(world)
    await kill(world, process(), faults, layer)

    (result,) = await process().copy(world.order())

    there = sum(map(len, world.destination.blobs.values()))
    assert result.tally.bytes_moved == SIZE - STOP
    assert result.tally.bytes_skipped == there - (SIZE - STOP)


async def test_a_copy_that_is_cancelled_tells_what_had_arrived(world):
    small, large = add_layer(world.source, "small", 1000), add_layer(world.source, "large", SIZE)
    add_image(world.source, "v1", layers=[small, large])
    begun, handed_out = [], []
    copying = asyncio.create_task(world.transfer.copy(world.order(begun=begun.append)))

    async def cancel_in_the_middle(call):
        is_of_large = call.action == "send_piece" and call.subject == str(large.digest)
        if is_of_large:
            handed_out.append(call.offset + PIECE)
        await asyncio.sleep(0)
        if is_of_large and call.offset >= STOP and small.digest in world.destination.blobs:
            copying.cancel()

    world.registry.hook = cancel_in_the_middle
    with pytest.raises(asyncio.CancelledError):
        await copying

    (so_far,) = begun
    arrived = sum(map(len, world.destination.blobs.values()))
    assert small.size <= arrived
    # The last piece was on its way when the copy heard of its end.
    assert so_far().bytes_moved == arrived + handed_out[-1]
    assert large.digest not in world.destination.blobs
