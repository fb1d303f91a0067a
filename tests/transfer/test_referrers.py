"""What refers to an image comes with it: signatures, SBOMs, attestations, also late ones."""

from __future__ import annotations

import asyncio

from replicator.errors import Denied, MediaTypeRejected, NotFound, ReferrerFailed
from replicator.oci.platform import Platform
from replicator.oci.reference import Tag
from tests.transfer.fakes import Call, Faults
from tests.transfer.images import (
    add_image,
    add_index,
    add_layer,
    add_referrer,
    add_signature,
)


async def test_referrers_of_the_root_and_of_its_children_come_along(world):
    child = add_image(world.source)
    index = add_index(world.source, [child], "v1")
    expected = {
        child.digest: add_referrer(world.source, child, "of the child"),
        index.digest: add_referrer(world.source, index, "of the index"),
    }

    await world.copy()

    for subject, referrer in expected.items():
        assert set(world.destination.announced[subject]) == {referrer.digest}
        assert world.destination.reachable(referrer.digest)


async def test_a_referrer_of_a_referrer_comes_along_and_no_further(world):
    image = add_image(world.source, "v1")
    sbom = add_referrer(world.source, image, "sbom")
    signature = add_referrer(world.source, sbom, "signature")
    too_far = add_referrer(world.source, signature, "too far")

    await world.copy()

    assert {sbom.digest, signature.digest} <= world.destination.manifests.keys()
    assert too_far.digest not in world.destination.manifests


async def test_cosign_tags_come_along(world):
    child = add_image(world.source)
    index = add_index(world.source, [child], "v1")
    signature = add_signature(world.source, index)
    attestation = add_signature(world.source, child, "att")

    result = await world.copy()

    attached = {
        Tag(f"sha256-{index.digest.hex}.sig"): signature.digest,
        Tag(f"sha256-{child.digest.hex}.att"): attestation.digest,
    }
    assert world.destination.tags == {"v1": index.digest, **attached}
    assert result.attached == attached


async def test_cosign_tags_of_the_same_content_all_come_along(world):
    children = [add_image(world.source, seed=name) for name in ("amd64", "arm64")]
    index = add_index(world.source, children, "v1")
    subjects = (index, *children)
    signatures = {cosign_tag(each): add_image(world.source, cosign_tag(each)) for each in subjects}

    result = await world.copy()

    (digest,) = {each.digest for each in signatures.values()}
    expected = dict.fromkeys(map(Tag, signatures), digest)
    assert world.destination.tags == {"v1": index.digest, **expected}
    assert result.attached == expected


async def test_a_cosign_tag_that_names_the_image_itself_comes_along(world):
    image = add_image(world.source, "v1")
    world.source.tags[Tag(cosign_tag(image))] = image.digest

    await world.copy()

    assert world.destination.tags == {"v1": image.digest, cosign_tag(image): image.digest}


def cosign_tag(subject):
    return f"sha256-{subject.digest.hex}.sig"


async def test_referrers_come_after_their_subject_and_the_tag_last(world):
    child = add_image(world.source)
    index = add_index(world.source, [child], "v1")
    referrer = add_referrer(world.source, child)
    add_signature(world.source, index)
    add_referrer(world.source, index, "of the index")

    await world.copy()

    puts = world.registry.called("put_manifest")
    assert puts.index(str(child.digest)) < puts.index(str(referrer.digest))
    assert puts[-1] == "v1"
    assert puts.count(str(index.digest)) == 0
    assert world.registry.calls[-1].action == "put_manifest"


async def test_where_the_registry_wants_it_the_subject_is_there_first(world):
    world.registry.wants_subject_first = True
    image = add_image(world.source, "v1")
    referrer = add_referrer(world.source, image)

    await world.copy()

    assert world.registry.called("put_manifest") == [
        str(image.digest),
        str(referrer.digest),
        "v1",
    ]


async def test_referrers_are_announced_once_a_subject(world):
    image = add_image(world.source, "v1")
    referrers = {add_referrer(world.source, image, str(number)).digest for number in range(5)}

    await world.copy()

    assert world.registry.called("announce_referrers") == [str(image.digest)]
    assert set(world.destination.announced[image.digest]) == referrers


async def test_without_referrers_nobody_asks_for_them(world):
    image = add_image(world.source, "v1")
    add_referrer(world.source, image)

    await world.copy(referrers=False)

    assert world.source_registry.called("list_referrers") == []
    assert world.source_registry.called("signature_tags") == []
    assert world.destination.announced == {}


async def test_a_signature_that_came_later_is_brought_to_the_tag_that_did_not_move(world):
    image = add_image(world.source, "v1")
    await world.copy()
    referrer = add_referrer(world.source, image)
    signature = add_signature(world.source, image)

    result = await world.copy()

    assert not result.written
    assert result.attached == {Tag(f"sha256-{image.digest.hex}.sig"): signature.digest}
    assert set(world.destination.announced[image.digest]) == {referrer.digest}
    assert world.destination.tags[Tag(f"sha256-{image.digest.hex}.sig")] == signature.digest
    assert world.destination.reachable(signature.digest)


async def test_a_signature_that_grew_replaces_the_old_one(world):
    image = add_image(world.source, "v1")
    add_signature(world.source, image)
    await world.copy()
    tag = Tag(f"sha256-{image.digest.hex}.sig")
    second = add_image(world.source, tag, seed="two signatures")

    await world.copy()

    assert world.destination.tags[tag] == second.digest


async def test_referrers_that_are_there_are_not_written_again(world):
    image = add_image(world.source, "v1")
    add_referrer(world.source, image)
    add_signature(world.source, image)
    await world.copy()
    world.registry.calls.clear()

    await world.copy()

    actions = {call.action for call in world.registry.calls}
    assert actions == {"resolve", "announce_referrers"}


async def test_a_referrer_that_cannot_be_written_keeps_the_tag_from_being_written(world):
    image = add_image(world.source, "v1")
    referrer = add_referrer(world.source, image)
    faults = Faults()
    faults.fail("put_manifest", str(referrer.digest), error=MediaTypeRejected("415", status=415))
    world.registry.hook = faults

    (result,) = await world.transfer.copy(world.order())

    assert isinstance(result.error, ReferrerFailed)
    assert isinstance(result.error.__cause__, MediaTypeRejected)
    assert str(referrer.digest) in str(result.error)
    assert result.side == "destination"
    assert world.destination.tags == {}


async def test_a_referrer_that_cannot_be_read_keeps_the_tag_from_being_written(world):
    image = add_image(world.source, "v1")
    add_signature(world.source, image)
    faults = Faults()
    faults.fail("get_manifest", f"sha256-{image.digest.hex}.sig", error=NotFound("gone"))
    world.source_registry.hook = faults

    (result,) = await world.transfer.copy(world.order())

    assert isinstance(result.error, ReferrerFailed)
    assert isinstance(result.error.__cause__, NotFound)
    assert result.side == "source"
    assert world.destination.tags == {}


async def test_what_cannot_be_read_is_asked_for_once_for_all_destinations(world):
    add_image(world.source, "v1")
    faults = Faults()
    faults.fail("list_referrers", error=Denied("no", status=403), times=9)
    world.source_registry.hook = faults

    results = await world.transfer.copy(world.order(to=(world.destination, world.other)))

    assert all(isinstance(result.error, ReferrerFailed) for result in results)
    assert len(world.source_registry.called("list_referrers")) == 1


async def test_a_blob_of_a_signature_that_is_gone_is_the_source_s_failure(world):
    image = add_image(world.source, "v1")
    signature = add_signature(world.source, image)
    del world.source.blobs[signature.layers[0].digest]

    (result,) = await world.transfer.copy(world.order())

    assert isinstance(result.error, ReferrerFailed)
    assert result.side == "source"


async def test_an_index_under_the_tag_of_the_tag_schema_is_no_list_of_referrers(world):
    image = add_image(world.source, "v1")
    bystander = add_image(world.source, seed="bystander")

    async def lie(subject):
        return (bystander.descriptor,)

    world.source.list_referrers = lie
    await world.copy()

    assert bystander.digest not in world.destination.manifests
    assert world.destination.announced == {}
    assert world.destination.tags == {"v1": image.digest}


async def test_of_a_selection_the_children_s_referrers_come_and_the_index_s_do_not(world):
    amd64, arm64 = (add_image(world.source, seed=name) for name in ("amd64", "arm64"))
    index = add_index(world.source, [amd64, arm64], "v1", platforms=["linux/amd64", "linux/arm64"])
    of_the_child = add_referrer(world.source, amd64, "child")
    of_the_other = add_referrer(world.source, arm64, "other child")
    of_the_index = add_referrer(world.source, index, "index")

    await world.copy(platforms=(Platform("linux", "amd64"),))

    assert of_the_child.digest in world.destination.manifests
    assert of_the_other.digest not in world.destination.manifests
    assert of_the_index.digest not in world.destination.manifests


async def test_a_referrer_that_is_an_index_comes_with_its_children(world):
    image = add_image(world.source, "v1")
    child = add_image(world.source, seed="child of the referrer")
    referrer = add_index(
        world.source,
        [child],
        subject={
            "mediaType": image.media_type,
            "digest": str(image.digest),
            "size": image.descriptor.size,
        },
    )

    await world.copy()

    assert world.destination.reachable(referrer.digest) >= {child.digest}


async def test_blobs_that_referrers_share_with_the_image_move_once(world):
    layer = add_layer(world.source, "shared")
    image = add_image(world.source, "v1", layers=[layer])
    for number in range(3):
        add_image(world.source, seed=f"referrer {number}", layers=[layer], subject=image)

    await world.copy()

    assert world.registry.called("send").count(str(layer.digest)) == 1


async def test_what_refers_to_the_image_is_read_while_its_blobs_move(world):
    image = add_image(world.source, "v1")
    add_referrer(world.source, image)
    moving = []

    async def watch(call: Call) -> None:
        if call.action == "list_referrers":
            moving.append(len(world.registry.called("put_manifest")))

    world.source_registry.hook = watch
    await world.copy()

    assert set(moving) == {0}


async def test_one_sbom_that_cosign_keeps_for_two_images_is_found_from_both(world):
    child = add_image(world.source)
    index = add_index(world.source, [child], "v1")
    tags = [Tag(f"sha256-{each.digest.hex}.sbom") for each in (child, index)]
    sbom = add_image(world.source, tags[0], seed="the same for both")
    world.source.tags[tags[1]] = sbom.digest

    result = await world.copy()

    assert {tag: world.destination.tags.get(tag) for tag in tags} == dict.fromkeys(
        tags, sbom.digest
    )
    assert result.attached == dict.fromkeys(tags, sbom.digest)


async def test_referrers_are_looked_for_once_however_many_ways_lead_to_an_index(world):
    index = add_index(world.source, [add_image(world.source)])
    for number in range(5):
        index = add_index(world.source, [index] * 20, annotations={"level": str(number)})
    world.source.tags[Tag("v1")] = index.digest

    async with asyncio.timeout(10):
        await world.copy()

    asked = world.source_registry.called("list_referrers")
    assert len(asked) == len(set(asked)) == 7
