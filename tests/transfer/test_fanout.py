"""One read feeds every destination, and none of them holds up the others for long."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import pytest

from replicator.errors import RegistryUnavailable, StoreError
from replicator.oci.descriptor import Descriptor
from replicator.oci.reference import Tag
from tests.transfer.fakes import PIECE, Call, FakeRegistry, Faults
from tests.transfer.images import add_image, add_layer, add_referrer
from tests.transfer.virtual_time import in_virtual_time, until

SIZE = 20 * 1024 * 1024


def large_image(world) -> Descriptor:
    layer = add_layer(world.source, "large", SIZE)
    add_image(world.source, "v1", layers=[layer])
    return layer


def reads_of(world, layer: Descriptor) -> list[int]:
    """Where each read of the layer began."""
    return [
        call.offset
        for call in world.source_registry.calls
        if call.action == "read_blob" and call.subject == str(layer.digest)
    ]


def now() -> float:
    return asyncio.get_running_loop().time()


def slow(action: str, seconds: float):
    async def hook(call: Call) -> None:
        await asyncio.sleep(seconds if call.action == action else 0)

    return hook


async def copy_to_both(world):
    return await world.transfer.copy(world.order(to=(world.destination, world.other)))


@in_virtual_time
async def test_destinations_of_the_same_speed_share_one_read(world):
    layer = large_image(world)
    world.registry.hook = slow("send_piece", 0.01)
    world.other_registry.hook = slow("send_piece", 0.01)

    results = await copy_to_both(world)

    assert [result.error for result in results] == [None, None]
    assert reads_of(world, layer) == [0]


@in_virtual_time
async def test_a_slightly_slower_destination_keeps_sharing_the_read(world):
    layer = large_image(world)
    world.registry.hook = slow("send_piece", 0.010)
    world.other_registry.hook = slow("send_piece", 0.011)

    await copy_to_both(world)

    assert reads_of(world, layer) == [0]


@in_virtual_time
async def test_destinations_that_are_slow_in_turn_keep_sharing_the_read(world):
    # As on a busy machine: each is slow for two seconds, then the other one.
    layer = large_image(world)
    third = FakeRegistry("three.example")
    registries = (world.registry, world.other_registry, third)

    async def busy(number: int, call: Call) -> None:
        if call.action == "send_piece":
            is_slow = int(now() / 2) % len(registries) == number
            await asyncio.sleep(0.2 if is_slow else 0.01)

    for number, registry in enumerate(registries):
        registry.hook = partial(busy, number)
    to = (world.destination, world.other, third.repository("mirror/app"))

    results = await world.transfer.copy(world.order(to=to))

    assert [result.error for result in results] == [None] * 3
    assert reads_of(world, layer) == [0]


@in_virtual_time
async def test_a_slow_destination_goes_on_with_a_read_of_its_own(world):
    layer = large_image(world)
    world.registry.hook = slow("send_piece", 0.001)
    world.other_registry.hook = slow("send_piece", 0.5)
    copying = asyncio.create_task(copy_to_both(world))
    began = now()
    await until(lambda: "v1" in world.destination.tags)

    assert now() - began < 15
    assert [result.error for result in await copying] == [None, None]
    assert len(reads_of(world, layer)) == 2


@in_virtual_time
async def test_two_reads_of_one_blob_do_not_get_into_each_other_s_way(world):
    layer = large_image(world)
    # Slow enough to be let go, and fast enough to read on while the others are still fed.
    world.registry.hook = slow("send_piece", 0.10)
    world.other_registry.hook = slow("send_piece", 0.30)

    results = await copy_to_both(world)

    assert [result.error for result in results] == [None, None]
    assert len(reads_of(world, layer)) == 2


@in_virtual_time
async def test_a_destination_that_stalls_does_not_hold_up_the_others(world):
    large_image(world)

    async def stall(call: Call) -> None:
        if call.action == "send_piece" and call.offset > SIZE // 2:
            await asyncio.sleep(3600)
            raise RegistryUnavailable("silent for an hour")

    world.other_registry.hook = stall
    copying = asyncio.create_task(copy_to_both(world))
    async with asyncio.timeout(60):
        await until(lambda: "v1" in world.destination.tags)

    good, bad = await copying
    assert good.error is None
    assert isinstance(bad.error, RegistryUnavailable)
    assert bad.side == "destination"


@in_virtual_time
async def test_a_destination_that_is_late_is_waited_for_once_and_not_for_long(world):
    layers = [add_layer(world.source, str(number), 200_000) for number in range(20)]
    add_image(world.source, "v1", layers=layers)
    world.other_registry.hook = slow("offer_blob", 300)
    copying = asyncio.create_task(copy_to_both(world))
    began = now()
    await until(lambda: "v1" in world.destination.tags)

    assert now() - began < 5
    results = await copying
    assert [result.error for result in results] == [None, None]


@in_virtual_time
async def test_many_orders_wait_for_a_late_destination_no_longer_than_one(world):
    tags = [f"v{number}" for number in range(20)]
    for tag in tags:
        add_image(world.source, tag, seed=tag, layers=[add_layer(world.source, tag, 200_000)])
    world.other_registry.hook = slow("offer_blob", 300)
    world.transfer = world.new_transfer(blobs_at_once=1)
    began = now()
    copying = [
        asyncio.create_task(
            world.transfer.copy(world.order(tag, to=(world.destination, world.other)))
        )
        for tag in tags
    ]

    await until(lambda: len(world.destination.tags) == len(tags))

    assert now() - began < 5
    for task in copying:
        task.cancel()
    await asyncio.wait(copying)


@in_virtual_time
async def test_a_destination_that_is_in_step_is_not_waited_for(world):
    layer = large_image(world)
    await world.copy(to=(world.other,))
    add_referrer(world.source, world.source.manifests[world.source.tags[Tag("v1")]])
    world.other_registry.hook = slow("put_manifest", 30)
    copying = asyncio.create_task(copy_to_both(world))
    began = now()

    await until(lambda: "v1" in world.destination.tags)

    assert now() - began < 1
    assert [result.written for result in await copying] == [True, False]
    assert reads_of(world, layer) == [0, 0]


@in_virtual_time
async def test_one_destination_that_breaks_in_the_middle_does_not_disturb_the_other(world):
    layer = large_image(world)
    faults = Faults()
    faults.fail("send_piece", str(layer.digest), offset=128 * PIECE, times=1)
    world.other_registry.hook = faults

    results = await copy_to_both(world)

    assert [result.error for result in results] == [None, None]
    # The broken upload goes on where it stopped, by a read of its own from a place before that.
    first, second = reads_of(world, layer)
    assert first == 0
    assert 0 < second <= 128 * PIECE


@in_virtual_time
async def test_when_the_source_breaks_every_destination_says_so(world):
    layer = large_image(world)
    faults = Faults()
    faults.fail("read_piece", str(layer.digest), offset=100 * PIECE)
    world.source_registry.hook = faults

    results = await copy_to_both(world)

    assert [(type(each.error), each.side) for each in results] == [
        (RegistryUnavailable, "source")
    ] * 2
    assert world.destination.tags == world.other.tags == {}


@in_virtual_time
async def test_wrong_bytes_reach_no_destination_whole(world):
    layer = large_image(world)
    content = bytearray(world.source.blobs[layer.digest])
    content[SIZE - 1] ^= 1
    world.source.blobs[layer.digest] = bytes(content)

    results = await copy_to_both(world)

    assert {each.error.kind for each in results} == {"content_mismatch"}
    for registry in (world.registry, world.other_registry):
        assert str(layer.digest) not in registry.called("close_upload")


@in_virtual_time
async def test_when_the_order_that_reads_is_cancelled_the_other_reads_on(world):
    layer = large_image(world)
    add_image(world.source, "v2", seed="other tag", layers=[layer])
    world.registry.hook = world.other_registry.hook = slow("send_piece", 0.01)
    # Each order leads at one destination and waits at the other, so they share one read.
    first = asyncio.create_task(copy_to_both(world))
    second = asyncio.create_task(
        world.transfer.copy(world.order("v2", to=(world.destination, world.other)))
    )
    await until(lambda: len(world.registry.called("send_piece")) >= 50)
    first.cancel()

    with pytest.raises(asyncio.CancelledError):
        await first
    results = await second
    assert [result.error for result in results] == [None, None]


@in_virtual_time
async def test_a_present_blob_at_one_destination_is_not_waited_for(world):
    layer = large_image(world)
    world.other.blobs[layer.digest] = world.source.blobs[layer.digest]
    began = now()

    await copy_to_both(world)

    assert reads_of(world, layer) == [0]
    assert now() - began < 1
    assert Counter(world.other_registry.called("send"))[str(layer.digest)] == 0


@in_virtual_time
async def test_a_read_is_bounded_by_its_slowest_receiver(world):
    large_image(world)
    read = sent = most = 0

    async def reading(call: Call) -> None:
        nonlocal read
        if call.action == "read_piece":
            read = call.offset
        await asyncio.sleep(0)

    async def sending(call: Call) -> None:
        nonlocal sent, most
        if call.action == "send_piece" and call.offset:
            sent = call.offset
            most = max(most, read - sent)
        await asyncio.sleep(0.001)

    world.source_registry.hook = reading
    world.registry.hook = world.other_registry.hook = sending
    await copy_to_both(world)

    # The window, and a piece that was handed out and one that is read.
    assert most < 6 * 1024 * 1024


@in_virtual_time
async def test_a_destination_that_failed_is_not_waited_for(world):
    layer = large_image(world)
    third = FakeRegistry("three.example").repository("mirror/app")
    faults = Faults()
    faults.fail("offer_blob", error=RegistryUnavailable("down"), times=9)
    world.registry.hook = faults
    began = now()

    results = await world.transfer.copy(world.order(to=(world.destination, world.other, third)))

    assert [result.error is None for result in results] == [False, True, True]
    assert reads_of(world, layer) == [0]
    assert now() - began < 1


async def test_a_shared_read_that_the_database_fails_is_the_error_of_all_who_take_part(world):
    # The credentials of a source may be in the database.
    large_image(world)
    world.source_registry.hook = faults = Faults()
    faults.fail("read_piece", offset=SIZE // 2, error=StoreError("the database is away"))

    results = await copy_to_both(world)

    assert [(str(result.error), result.side) for result in results] == [
        ("the database is away", "")
    ] * 2
