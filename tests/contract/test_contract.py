"""What every registry has to do, real or fake, and what we make of it where it does not.

The name of a test is a column of the table in docs/registries.md, and what it notes a cell.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicator import errors
from replicator.events import RequestKind
from replicator.oci.reference import Tag
from replicator.registry.settings import Credentials
from tests.contract.stage import SEED
from tests.registry.test_repository import push_image
from tests.support.embedded import (
    store_artifact,
    store_cosign_signature,
    store_image,
    store_image_of,
    store_index,
    store_layer,
)

BIG = 24 * 1024 * 1024
PAGES_OF = 20


async def test_image(stage, note):
    store_image(stage.stock, SEED, "v1")

    await stage.round_trip("v1")

    note("yes")


async def test_index(stage, note):
    store_index(stage.stock, SEED, "v1")

    await stage.round_trip("v1")

    note("yes")


async def test_docker_types(stage, note):
    store_index(stage.stock, SEED, "v1", docker=True)

    if stage.place.takes_docker:
        await stage.round_trip("v1")
        note("yes")
    else:
        with pytest.raises(errors.MediaTypeRejected):
            await stage.fill("v1")
        note("refused")


async def test_referrers(stage, note):
    image = store_image(stage.stock, SEED, "v1")
    report = store_artifact(stage.stock, SEED, subject=image)
    signature = store_cosign_signature(stage.stock, SEED, image)

    await stage.round_trip("v1")

    assert stage.sink.storage.referrers(SEED, image.digest) == [report.digest]
    for digest in (report.digest, signature.digest):
        stage.assert_same(digest)
    note("by API" if stage.reader.registry.knowledge.referrers_api else "by tag")


async def test_mount(stage, note):
    store_image(stage.stock, SEED, "v1", layers=3)
    await stage.fill("v1")

    result = await stage.fill("v1", "-again")

    tally = result.tally
    assert tally.blobs_mounted + tally.blobs_moved + tally.blobs_skipped == 4
    assert (await stage.repository("-again").resolve(Tag("v1"))).digest == result.digest
    note("sent again" if tally.blobs_moved else "mounted" if tally.blobs_mounted else "shared")


async def test_big_blob(stage, note):
    layer = store_layer(stage.stock, SEED, "big", BIG)
    store_image_of(stage.stock, SEED, "v1", [layer])

    await stage.round_trip("v1")

    note("yes")


async def test_moved_tag(stage, note):
    first = await push_image(stage.repository(), seed="one")
    if not stage.place.moves_tags:
        with pytest.raises(errors.TagImmutable):
            await push_image(stage.repository(), seed="two")
        note("immutable")
        return
    second = await push_image(stage.repository(), seed="two")

    assert first.digest != second.digest
    assert (await stage.repository().resolve(Tag("v1"))).digest == second.digest
    note("yes")


async def test_paging(stage, note):
    image = await push_image(stage.repository())
    tags = {f"n-{number:02}" for number in range(PAGES_OF * 2 + 5)}
    for tag in tags:
        await stage.repository().put_manifest(image, Tag(tag))
    client = stage.client_of(stage.place.login)
    knowledge = client.registry.knowledge
    knowledge.profile = replace(knowledge.profile, page_size=PAGES_OF)

    repository = client.registry.repository(stage.path)
    if stage.place.lists_tags:
        listed = [tag async for page in repository.list_tags() for tag in page]
        assert sorted(listed) == sorted({*tags, "v1"})
        pages = client.heard.requests[RequestKind.TAGS]
        note("yes" if pages > 2 else "one page")
    else:
        with pytest.raises(errors.Denied):
            [page async for page in repository.list_tags()]
        note("no list")


async def test_wrong_password(stage, note):
    if stage.place.login is None:
        note("asks nobody")
        return
    wrong = Credentials(stage.place.login.username, "wrong")

    with pytest.raises(errors.Unauthorized):
        await stage.client_of(wrong).registry.check_login()

    note("refused")


async def test_missing_rights(stage, note):
    await push_image(stage.repository())
    if stage.place.reader is None and not stage.place.closed:
        note("all or nothing")
        return
    stranger = stage.client_of(stage.place.reader or stage.place.login)
    path = stage.place.closed or stage.path

    with pytest.raises((errors.Denied, errors.Unauthorized)):
        await push_image(stranger.registry.repository(path), Tag("v2"), seed="two")

    with pytest.raises((errors.NotFound, errors.Unauthorized)):
        await stage.client.registry.repository(path).resolve(Tag("v2"))
    note("refused")


async def test_missing_repository(stage, note):
    repository = stage.repository("-nowhere")

    with pytest.raises((errors.NotFound, errors.Denied, errors.Unauthorized)) as raised:
        await repository.resolve(Tag("v1"))

    note("not found" if isinstance(raised.value, errors.NotFound) else "closed")
