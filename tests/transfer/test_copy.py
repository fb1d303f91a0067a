"""What a copy writes, in which order, and with how many requests."""

from __future__ import annotations

import asyncio
import json

import pytest

from replicator.errors import (
    ContentMissing,
    Denied,
    MediaTypeRejected,
    NotFound,
    UnsupportedSchema1,
)
from replicator.events import BlobFinished, ManifestWritten, TagFinished, TagStarted
from replicator.oci import media_types
from replicator.oci.descriptor import EMPTY_DESCRIPTOR, Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from replicator.transfer.order import Order, Tally
from tests.transfer.fakes import Call, Faults
from tests.transfer.images import (
    add_blob,
    add_image,
    add_index,
    add_layer,
    add_manifest,
    add_referrer,
    entry,
)


async def test_the_copy_is_whole_and_has_the_digest_of_the_original(world):
    image = add_image(world.source, "v1")

    result = await world.copy()

    assert result.written
    assert result.source_digest == result.digest == image.digest
    assert world.destination.tags == {"v1": image.digest}
    assert world.destination.reachable(image.digest) == world.source.reachable(image.digest)


async def test_bytes_are_copied_as_they_are(world):
    strange = b'{ "mediaType":"%s",\n "schemaVersion" : 2,"layers":[],"x":1.50 }'
    image = Manifest.parse(strange % media_types.OCI_MANIFEST.encode(), "")
    world.source.manifests[image.digest] = image
    world.source.tags[Tag("v1")] = image.digest

    await world.copy()

    assert world.destination.manifests[image.digest].content == image.content


async def test_children_are_written_by_digest_and_the_tag_last(world):
    inner = add_index(world.source, [add_image(world.source, seed="inner")])
    index = add_index(world.source, [inner, add_image(world.source, seed="outer")], "v1")

    await world.copy()

    puts = world.registry.called("put_manifest")
    assert puts[-1] == "v1"
    assert puts.index(str(inner.manifests[0].digest)) < puts.index(str(inner.digest))
    assert set(puts[:-1]) == {
        str(digest) for digest in world.destination.manifests if digest != index.digest
    }
    assert world.registry.calls[-1].action == "put_manifest"


async def test_a_cold_image_costs_two_requests_a_blob_and_one_a_manifest(world):
    image = add_image(world.source, "v1")

    await world.copy(referrers=False)

    requests = [
        call.action
        for call in world.registry.calls
        if call.action not in ("send_piece", "close_upload")
    ]
    assert sorted(requests) == sorted(["offer_blob", "send"] * len(image.blobs) + ["put_manifest"])
    assert len(world.source_registry.called("get_manifest")) == 1
    assert len(world.source_registry.called("read_blob")) == len(image.blobs)


async def test_copying_again_costs_one_read_an_offer_and_a_look_at_the_tag(world):
    add_image(world.source, "v1")
    await world.copy(referrers=False)
    world.source_registry.calls.clear()
    world.registry.calls.clear()
    without_memory = type(world)()
    without_memory.source, without_memory.destination = world.source, world.destination

    again = await without_memory.copy(referrers=False)

    assert not again.written
    assert [call.action for call in world.source_registry.calls] == ["get_manifest"]
    assert [call.action for call in world.registry.calls] == ["offer_blob", "resolve"]
    assert (again.tally.blobs_moved, again.tally.blobs_skipped) == (0, 3)


async def test_when_the_inventory_knows_the_blobs_nothing_is_offered(world):
    add_image(world.source, "v1")
    await world.copy(referrers=False)
    world.registry.calls.clear()

    await world.copy(referrers=False)

    assert [call.action for call in world.registry.calls] == ["resolve"]


async def test_an_index_in_step_is_known_without_reading_all_its_images(world):
    children = [add_image(world.source, seed=str(number)) for number in range(5)]
    add_index(world.source, children, "v1")
    await world.copy()
    world.source_registry.calls.clear()
    world.transfer = world.new_transfer()

    again = await world.copy()

    assert not again.written
    assert world.source_registry.called("get_manifest") == ["v1", str(children[0].digest)]


async def test_what_is_heard_in_the_end_says_whether_the_tag_was_written(world, events_of):
    image = add_image(world.source, "v1")
    await world.copy()
    await world.copy()
    add_referrer(world.source, image)
    await world.copy()

    heard = [(event.written, event.added) for event in events_of(TagFinished)]
    assert heard == [(True, 0), (False, 0), (False, 1)]


async def test_a_tag_that_moved_sends_only_what_is_new(world):
    base = add_layer(world.source, "base")
    add_image(world.source, "v1", seed="old", layers=[base])
    await world.copy()
    new = add_image(world.source, "v1", seed="new", layers=[base, add_layer(world.source, "top")])

    result = await world.copy()

    assert result.digest == world.destination.tags["v1"] == new.digest
    assert (result.tally.blobs_moved, result.tally.blobs_skipped) == (2, 1)


async def test_a_second_tag_of_the_same_image_sends_no_blob(world):
    image = add_image(world.source, "v1")
    world.source.tags[Tag("latest")] = image.digest
    await world.copy("v1")

    result = await world.copy("latest")

    assert result.written
    assert result.tally.blobs_moved == 0
    assert world.destination.tags == {"v1": image.digest, "latest": image.digest}


async def test_that_the_manifest_is_there_is_no_proof_of_its_blobs(world):
    image = add_image(world.source, "v1")
    world.destination.manifests[image.digest] = image  # a registry that lost the blobs

    result = await world.copy()

    assert result.tally.blobs_moved == 3
    assert world.destination.reachable(image.digest)


async def test_a_tag_is_pinned_when_it_is_read(world):
    first = add_image(world.source, "v1", seed="first")

    async def move_the_tag(call: Call) -> None:
        if call.action == "read_blob":
            add_image(world.source, "v1", seed="second")

    world.source_registry.hook = move_the_tag
    result = await world.copy()

    assert result.digest == world.destination.tags["v1"] == first.digest


async def test_a_digest_can_be_copied_to_a_tag(world):
    image = add_image(world.source)
    order = Order(world.source, image.digest, world.order("v1").destinations)

    (result,) = await world.transfer.copy(order)

    assert result.error is None
    assert world.destination.tags == {"v1": image.digest}


async def test_the_empty_config_and_the_empty_layer_are_never_read(world):
    empty = add_blob(world.source, b"")
    add_blob(world.source, b"{}", media_types.EMPTY)
    sha512 = Descriptor("text/plain", Digest.of(b"", "sha512"), 0)
    image = add_image(world.source, "v1", config=EMPTY_DESCRIPTOR, layers=[empty, sha512])

    await world.copy()

    assert world.source_registry.called("read_blob") == []
    assert {blob.digest for blob in image.blobs} == set(world.destination.blobs)


async def test_a_blob_of_an_index_and_of_two_images_moves_once(world):
    base = add_layer(world.source, "base")
    images = [add_image(world.source, seed=str(n), layers=[base]) for n in range(4)]
    add_index(world.source, images, "v1")

    result = await world.copy()

    assert world.source_registry.called("read_blob").count(str(base.digest)) == 1
    assert world.registry.called("offer_blob").count(str(base.digest)) == 1
    assert result.tally == Tally(bytes_moved=result.tally.bytes_moved, blobs_moved=5)


async def test_when_a_blob_is_missing_at_the_source_no_manifest_is_written(world):
    lost = add_layer(world.source, "lost")
    add_image(world.source, "v1", layers=[lost])
    del world.source.blobs[lost.digest]

    (result,) = await world.transfer.copy(world.order())

    assert isinstance(result.error, NotFound)
    assert result.side == "source"
    assert world.registry.called("put_manifest") == []
    assert world.destination.tags == {}


async def test_wrong_bytes_never_arrive(world):
    spoilt = add_layer(world.source, "spoilt", 300_000)
    add_image(world.source, "v1", layers=[spoilt])
    content = bytearray(world.source.blobs[spoilt.digest])
    content[200_000] ^= 1
    world.source.blobs[spoilt.digest] = bytes(content)

    (result,) = await world.transfer.copy(world.order())

    assert result.error is not None
    assert (result.error.kind, result.side) == ("content_mismatch", "source")
    assert str(spoilt.digest) not in world.registry.called("close_upload")
    assert world.destination.tags == {}


async def test_a_missing_tag_is_an_error_of_every_destination(world):
    order = world.order("missing", to=(world.destination, world.other))

    results = await world.transfer.copy(order)

    assert [(type(each.error), each.side) for each in results] == [(NotFound, "source")] * 2
    assert world.registry.calls == world.other_registry.calls == []


async def test_schema_1_is_named(world):
    faults = Faults()
    faults.fail("get_manifest", error=UnsupportedSchema1("Docker schema 1"))
    world.source_registry.hook = faults

    (result,) = await world.transfer.copy(world.order())

    assert result.error is not None
    assert result.error.kind == "unsupported_schema1"


async def test_a_refusal_of_the_manifest_is_the_destination_s(world):
    add_image(world.source, "v1")
    faults = Faults()
    faults.fail("put_manifest", error=MediaTypeRejected("415", status=415))
    world.registry.hook = faults

    (result,) = await world.transfer.copy(world.order())

    assert isinstance(result.error, MediaTypeRejected)
    assert result.side == "destination"
    assert (result.written, result.digest) == (False, None)


async def test_what_the_inventory_wrongly_believes_is_sent_once_the_registry_says_so(world):
    image = add_image(world.source, "v1")
    for blob in image.blobs:
        world.inventory.note(world.destination.name, blob)

    result = await world.copy()

    assert world.destination.reachable(image.digest)
    assert world.registry.called("put_manifest") == ["v1", "v1"]
    assert result.tally.blobs_moved == 3


async def test_only_the_blobs_that_were_named_are_sent_again(world):
    image = add_image(world.source, "v1")
    await world.copy()
    lost = image.layers[0]
    del world.destination.blobs[lost.digest]
    del world.destination.tags[Tag("v1")]
    world.registry.calls.clear()

    await world.copy()

    assert world.registry.called("offer_blob") == [str(lost.digest)]


async def test_children_that_were_named_are_written_again(world):
    image = add_image(world.source)
    index = add_index(world.source, [image], "v1")

    async def lose_the_child_once(call: Call) -> None:
        if call.action == "put_manifest" and call.subject == "v1" and len(lost) == 0:
            lost.append(world.destination.manifests.pop(image.digest))

    lost: list = []
    world.registry.hook = lose_the_child_once
    result = await world.copy()

    assert lost
    assert result.digest == index.digest
    assert world.destination.reachable(index.digest)


async def test_a_registry_that_keeps_saying_so_is_asked_twice(world):
    add_image(world.source, "v1")
    faults = Faults()
    faults.fail("put_manifest", error=ContentMissing("unknown", status=400), times=9)
    world.registry.hook = faults

    (result,) = await world.transfer.copy(world.order())

    assert isinstance(result.error, ContentMissing)
    assert world.registry.called("put_manifest") == ["v1", "v1"]


async def test_an_image_of_a_thousand_layers_is_copied(world):
    layers = [add_layer(world.source, str(number), 10) for number in range(1000)]
    image = add_image(world.source, "v1", layers=layers)

    await world.copy()

    assert len(world.destination.reachable(image.digest)) == 1002


async def test_the_largest_layers_begin_first_so_that_none_runs_alone_at_the_end(world):
    layers = [add_layer(world.source, str(size), size) for size in (1000, 3000, 2000)]
    image = add_image(world.source, "v1", layers=layers)

    await world.copy(referrers=False)

    config, *offered = world.registry.called("offer_blob")
    assert config == str(image.config.digest)
    assert offered == [str(layers[number].digest) for number in (1, 2, 0)]


async def test_foreign_layers_stay_where_they_are(world):
    foreign = add_blob(
        world.source, b"windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    )
    add_image(world.source, "v1", layers=[foreign])

    await world.copy()
    assert foreign.digest not in world.destination.blobs
    del world.destination.tags[Tag("v1")]
    await world.copy(foreign_layers=True)
    assert foreign.digest in world.destination.blobs


async def test_a_registry_that_wants_a_foreign_layer_is_not_given_it_but_named(world):
    foreign = add_blob(
        world.source, b"windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    )
    add_image(world.source, "v1", layers=[foreign])
    wanted = ContentMissing("Unknown blob", digests=(str(foreign.digest),), status=400)
    faults = Faults()
    faults.fail("put_manifest", error=wanted, times=9)
    world.registry.hook = faults

    (result,) = await world.transfer.copy(world.order())

    assert result.error is wanted
    assert foreign.digest not in world.destination.blobs
    assert world.registry.called("put_manifest") == ["v1"]


async def test_events_tell_the_story_in_order(world, events_of):
    image = add_image(world.source, "v1")

    await world.copy()

    (started,), (finished,) = events_of(TagStarted), events_of(TagFinished)
    assert started.blobs == {blob.digest: blob.size for blob in image.blobs}
    assert started.source == finished.source == "source.example/team/app:v1"
    assert (finished.digest, finished.error) == (image.digest, None)
    assert world.events[0] is started
    assert world.events[-1] is finished
    assert {event.digest for event in events_of(BlobFinished)} == set(started.blobs)
    assert [event.tag for event in events_of(ManifestWritten)] == ["v1"]


async def test_a_failure_is_told_too(world, events_of):
    add_image(world.source, "v1")
    faults = Faults()
    faults.fail("offer_blob", error=Denied("no rights here", status=403))
    world.registry.hook = faults

    await world.transfer.copy(world.order())

    (finished,) = events_of(TagFinished)
    assert (finished.digest, finished.error) == (None, "no rights here")


async def test_cancelling_leaves_nothing_open_and_no_tag(world):
    layer = add_layer(world.source, "large", 1_000_000)
    add_index(world.source, [add_image(world.source, layers=[layer])], "v1")
    reached = asyncio.Event()

    async def stop_in_the_middle(call: Call) -> None:
        if call.action == "send_piece" and call.offset > 500_000:
            reached.set()
            await asyncio.Event().wait()

    world.registry.hook = stop_in_the_middle
    copying = asyncio.create_task(world.transfer.copy(world.order()))
    await reached.wait()
    copying.cancel()

    with pytest.raises(asyncio.CancelledError):
        await copying
    assert world.source.open_reads == 0
    assert world.destination.uploading == []
    assert world.destination.manifests == world.destination.tags == {}


async def test_after_a_cancelled_copy_the_next_one_succeeds(world):
    add_image(world.source, "v1", layers=[add_layer(world.source, "large", 1_000_000)])
    reached = asyncio.Event()

    async def stop(call: Call) -> None:
        if call.action == "send_piece" and not reached.is_set():
            reached.set()
            await asyncio.Event().wait()

    world.registry.hook = stop
    copying = asyncio.create_task(world.transfer.copy(world.order()))
    await reached.wait()
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying

    assert (await world.copy()).written


async def test_no_destination_is_nothing_to_do(world):
    image = add_image(world.source, "v1")

    assert await world.transfer.copy(Order(world.source, image.digest, ())) == ()


async def test_an_artifact_with_a_subject_can_be_found_from_it(world):
    subject = add_image(world.source)
    artifact = add_image(world.source, "report", seed="report", subject=subject)

    await world.copy("report")

    assert set(world.destination.announced[subject.digest]) == {artifact.digest}


async def test_the_manifest_of_a_withdrawn_artifact_is_copied_with_its_blobs(world):
    blob = add_layer(world.source, "payload")
    body = {"mediaType": media_types.OCI_ARTIFACT, "blobs": [entry(blob)]}
    artifact = add_manifest(world.source, body, "v1")

    await world.copy()

    assert json.loads(world.destination.manifests[artifact.digest].content) == body
    assert blob.digest in world.destination.blobs
