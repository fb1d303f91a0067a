"""Orders that run at once share what is under way: nothing is read or sent twice."""

from __future__ import annotations

import asyncio
from collections import Counter

from replicator.errors import Denied, RegistryUnavailable
from replicator.events import BlobFinished, BlobOutcome
from replicator.oci.reference import Tag
from replicator.transfer.order import Destination, Order
from tests.transfer.fakes import Call, Faults, let_pass
from tests.transfer.images import add_image, add_index, add_layer
from tests.transfer.virtual_time import in_virtual_time


def tags_of_shared_layers(world, count: int, *, size: int = 1000) -> list[str]:
    layers = [add_layer(world.source, f"shared {number}", size) for number in range(3)]
    tags = [f"v{number}" for number in range(count)]
    for tag in tags:
        add_image(world.source, tag, seed=tag, layers=layers)
    return tags


async def test_many_tags_at_once_send_a_shared_blob_once(world):
    tags = tags_of_shared_layers(world, 50)

    results = await asyncio.gather(*map(world.copy, tags))

    assert set(Counter(world.registry.called("send")).values()) == {1}
    assert set(Counter(world.registry.called("offer_blob")).values()) == {1}
    assert set(Counter(world.source_registry.called("read_blob")).values()) == {1}
    assert sum(result.tally.blobs_moved for result in results) == 53
    assert sum(result.tally.blobs_skipped for result in results) == 3 * 50 - 3


@in_virtual_time
async def test_many_tags_for_several_destinations_read_a_shared_blob_once(world):
    tags = tags_of_shared_layers(world, 20, size=300_000)

    results = await asyncio.gather(
        *(
            world.transfer.copy(world.order(tag, to=(world.destination, world.other)))
            for tag in tags
        )
    )

    assert {each.error for pair in results for each in pair} == {None}
    assert set(Counter(world.source_registry.called("read_blob")).values()) == {1}
    for registry in (world.registry, world.other_registry):
        assert set(Counter(registry.called("send")).values()) == {1}


async def test_repositories_of_one_registry_read_once_and_mount_the_rest(world):
    repositories = []
    for number in range(30):
        source = world.source_registry.repository(f"team/{number}")
        add_image(source, "v1", seed="the same everywhere")
        destination = world.registry.repository(f"mirror/{number}")
        repositories.append((source, destination))

    results = await asyncio.gather(
        *(world.copy(source=source, to=(destination,)) for source, destination in repositories)
    )

    assert set(Counter(world.registry.called("send")).values()) == {1}
    assert len(world.source_registry.called("read_blob")) == 3
    assert sum(result.tally.blobs_mounted for result in results) == 29 * 3
    # A blob costs one request where it is mounted, and two where it is sent.
    assert len(world.registry.called("offer_blob")) == 30 * 3


async def test_a_registry_that_does_not_mount_is_not_waited_for_again_and_again(world):
    world.registry.mounts = False
    destinations = [world.registry.repository(f"mirror/{number}") for number in range(10)]
    first = add_image(world.source, "v1", seed="first")
    await asyncio.gather(*(world.copy(to=(each,)) for each in destinations))
    assert all(each.reachable(first.digest) for each in destinations)

    add_image(world.source, "v2", seed="second", layers=[add_layer(world.source, "new")])
    together = asyncio.Event()
    sending = 0

    async def all_at_once(call: Call) -> None:
        nonlocal sending
        if call.action == "send":
            sending += 1
            if sending == 10:
                together.set()
            await together.wait()

    world.registry.hook = all_at_once
    async with asyncio.timeout(10):
        await asyncio.gather(*(world.copy("v2", to=(each,)) for each in destinations))


async def test_nothing_is_mounted_from_another_registry(world):
    add_image(world.source, "v1")
    await world.copy(to=(world.other,))

    result = await world.copy()

    assert result.tally.blobs_mounted == 0
    assert result.tally.blobs_moved == 3


async def test_a_refused_mount_ends_in_an_upload(world):
    image = add_image(world.source, "v1")
    await world.copy()
    world.registry.mounts = False
    second = world.registry.repository("mirror/second")

    result = await world.copy(to=(second,))

    assert result.tally.blobs_moved == 3
    assert second.reachable(image.digest)


async def test_whoever_waits_takes_over_from_one_who_failed(world):
    tags_of_shared_layers(world, 2)
    shared = world.source.manifests[world.source.tags[Tag("v0")]].layers[0]
    faults = Faults()
    faults.fail("offer_blob", str(shared.digest), error=Denied("just this once"))
    world.registry.hook = faults

    results = await asyncio.gather(*(world.transfer.copy(world.order(tag)) for tag in ("v0", "v1")))

    assert sorted(result.error is None for (result,) in results) == [False, True]
    assert world.registry.called("offer_blob").count(str(shared.digest)) == 2


async def test_whoever_waits_takes_over_from_one_who_was_cancelled(world):
    tags = tags_of_shared_layers(world, 3)
    shared = world.source.manifests[world.source.tags[Tag("v0")]].layers[0]
    reached, held = asyncio.Event(), []

    async def hold_the_first(call: Call) -> None:
        if call.action == "send" and call.subject == str(shared.digest) and not held:
            held.append(call)
            reached.set()
            await asyncio.Event().wait()

    world.registry.hook = hold_the_first
    leader = asyncio.create_task(world.copy(tags[0]))
    await reached.wait()
    others = [asyncio.create_task(world.copy(tag)) for tag in tags[1:]]
    for _ in range(100):
        await asyncio.sleep(0)
    leader.cancel()

    assert all(result.written for result in await asyncio.gather(*others))


async def test_a_destination_that_is_down_is_not_tried_by_everybody_in_turn(world):
    tags = tags_of_shared_layers(world, 40)
    shared = {
        str(layer.digest) for layer in world.source.manifests[world.source.tags[Tag("v0")]].layers
    }
    faults = Faults()
    for digest in shared:
        faults.fail("offer_blob", digest, error=RegistryUnavailable("down"), times=1000)
    world.registry.hook = faults

    results = await asyncio.gather(*(world.transfer.copy(world.order(tag)) for tag in tags))

    assert all(isinstance(result.error, RegistryUnavailable) for (result,) in results)
    offers = [digest for digest in world.registry.called("offer_blob") if digest in shared]
    assert len(offers) <= 2 * len(shared)


async def test_tags_of_one_index_read_and_write_what_is_below_it_once(world):
    children = [add_image(world.source, seed=str(number)) for number in range(5)]
    index = add_index(world.source, children, "v0")
    tags = [f"v{number}" for number in range(10)]
    world.source.tags |= dict.fromkeys(map(Tag, tags), index.digest)

    await asyncio.gather(*map(world.copy, tags))

    assert world.destination.tags == world.source.tags
    reads = Counter(world.source_registry.called("get_manifest"))
    writes = Counter(world.registry.called("put_manifest"))
    for child in children:
        assert reads[str(child.digest)] == writes[str(child.digest)] == 1


async def test_a_child_that_was_lost_meanwhile_is_written_again(world):
    child = add_image(world.source)
    index = add_index(world.source, [child], "v1")
    world.source.tags[Tag("v2")] = index.digest

    async def lose_the_child_after_the_first_tag(call: Call) -> None:
        if call.action == "put_manifest" and world.destination.tags:
            world.registry.hook = let_pass
            del world.destination.manifests[child.digest]
            world.destination.tags.clear()

    world.registry.hook = lose_the_child_after_the_first_tag
    await asyncio.gather(world.copy("v1"), world.copy("v2"))

    assert world.destination.tags
    assert world.destination.reachable(index.digest)


async def test_what_was_written_is_not_believed_for_longer_than_the_work_takes(world):
    child = add_image(world.source)
    add_index(world.source, [child], "v1")
    await world.copy()
    world.destination.tags.clear()
    world.registry.calls.clear()

    await world.copy()

    assert str(child.digest) in world.registry.called("put_manifest")


async def test_two_tags_of_one_repository_in_one_order(world):
    image = add_image(world.source, "v1")
    destinations = (
        Destination(world.destination, Tag("v1")),
        Destination(world.destination, Tag("latest")),
    )

    results = await world.transfer.copy(Order(world.source, Tag("v1"), destinations))

    assert [result.error for result in results] == [None, None]
    assert world.destination.tags == {"v1": image.digest, "latest": image.digest}
    assert set(Counter(world.registry.called("send")).values()) == {1}


@in_virtual_time
async def test_two_repositories_of_one_registry_in_one_order_read_once(world):
    add_image(world.source, "v1", layers=[add_layer(world.source, "large", 300_000)])
    second = world.registry.repository("mirror/second")
    began = asyncio.get_running_loop().time()

    results = await world.transfer.copy(world.order(to=(world.destination, second)))

    assert [result.error for result in results] == [None, None]
    assert set(Counter(world.source_registry.called("read_blob")).values()) == {1}
    assert sum(result.tally.blobs_mounted for result in results) == 2
    assert asyncio.get_running_loop().time() - began < 1, "they waited for each other"


async def test_one_destination_that_fails_does_not_stop_the_others(world):
    image = add_image(world.source, "v1")
    faults = Faults()
    faults.fail("offer_blob", error=Denied("no rights", status=403), times=9)
    world.registry.hook = faults

    failed, succeeded = await world.transfer.copy(world.order(to=(world.destination, world.other)))

    assert isinstance(failed.error, Denied)
    assert succeeded.error is None
    assert world.other.tags == {"v1": image.digest}
    assert world.destination.tags == {}


async def test_the_outcome_of_each_blob_is_heard_once_a_destination(world, events_of):
    tags_of_shared_layers(world, 2)

    await asyncio.gather(world.copy("v0"), world.copy("v1"))

    outcomes = Counter((event.digest, event.outcome) for event in events_of(BlobFinished))
    assert sum(outcomes.values()) == 8
    assert sorted(outcome for _, outcome in outcomes.elements()) == (
        [BlobOutcome.COPIED] * 5 + [BlobOutcome.PRESENT] * 3
    )


async def test_no_more_blobs_than_allowed_are_on_their_way_to_a_registry(world):
    layers = [add_layer(world.source, str(number)) for number in range(40)]
    add_image(world.source, "v1", layers=layers)
    under_way, most = set(), 0

    async def count(call: Call) -> None:
        nonlocal most
        if call.action == "offer_blob":
            under_way.add(call.subject)
        most = max(most, len(under_way))
        await asyncio.sleep(0)
        if call.action == "close_upload":
            under_way.discard(call.subject)

    world.registry.hook = count
    world.transfer = world.new_transfer(blobs_at_once=4)
    await world.copy()

    assert most == 4
