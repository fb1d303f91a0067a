"""A layout stands wherever a repository can."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import (
    ContentMismatch,
    ContentMissing,
    InvalidManifest,
    LayoutError,
    NotFound,
)
from replicator.events import BlobOutcome
from replicator.layout.folder import Folder
from replicator.layout.index_file import IndexFile
from replicator.layout.layout import open_layout
from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from replicator.oci.verify import Verifier
from tests.layout.conftest import REF_NAME, files_of
from tests.transfer.images import (
    add_blob,
    add_image,
    add_index,
    add_layer,
    add_referrer,
    add_signature,
)


def read_index(layout) -> dict:
    return json.loads((Path(layout.name.path) / "index.json").read_bytes())


async def tags_of(repository) -> set[str]:
    return {tag async for page in repository.list_tags() for tag in page}


async def content_of(layout, blob: Descriptor, verifier: Verifier | None = None) -> bytes:
    async with layout.read_blob(blob, verifier=verifier) as pieces:
        return b"".join([bytes(piece) async for piece in pieces])


async def test_a_layout_gives_back_a_manifest_as_large_as_any_registry_may_have(layout):
    image = large_image(5 * 1024 * 1024)

    await layout.put_manifest(image, Tag("v1"))

    assert (await layout.get_manifest(Tag("v1"))).content == image.content


async def test_a_layout_has_a_limit_for_manifests_too(layout):
    await layout.put_manifest(large_image(17 * 1024 * 1024), Tag("v1"))

    with pytest.raises(InvalidManifest, match="limit is 16777216"):
        await layout.get_manifest(Tag("v1"))


def large_image(padding: int) -> Manifest:
    body = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [],
        "annotations": {"padding": "x" * padding},
    }
    content = json.dumps(body).encode()
    return Manifest.parse(content, media_types.OCI_INDEX, limit=len(content))


async def test_everything_comes_back_as_it_went_in(source, layout, copy):
    child = add_image(source, layers=[add_layer(source, "large", 3_000_000), add_blob(source, b"")])
    index = add_index(source, [child, add_image(source, seed="other")], "v1")
    referrer, signature = add_referrer(source, child), add_signature(source, index)
    back = source.registry.repository("team/back")

    await copy(source, layout)
    await copy(layout, back)

    assert back.reachable(index.digest) == source.reachable(index.digest)
    assert set(back.announced[child.digest]) == {referrer.digest}
    assert back.tags == source.tags
    assert back.tags[Tag(f"sha256-{index.digest.hex}.sig")] == signature.digest


async def test_the_files_are_those_of_the_specification(source, layout, copy):
    image = add_image(source, "v1")

    await copy(source, layout)

    blobs = {f"blobs/sha256/{digest.hex}" for digest in source.reachable(image.digest)}
    assert files_of(layout) == {"oci-layout", "index.json", *blobs}
    marker = json.loads((Path(layout.name.path) / "oci-layout").read_bytes())
    assert marker == {"imageLayoutVersion": "1.0.0"}
    assert read_index(layout)["manifests"] == [
        {
            "mediaType": image.media_type,
            "digest": str(image.digest),
            "size": len(image.content),
            "annotations": {REF_NAME: "v1"},
        }
    ]


async def test_only_tags_and_referrers_are_in_the_index(source, layout, copy):
    child = add_image(source)
    index = add_index(source, [child], "v1")
    referrer = add_referrer(source, child)

    await copy(source, layout)

    listed = {
        entry["digest"]: entry.get("annotations", {}).get(REF_NAME)
        for entry in read_index(layout)["manifests"]
    }
    assert listed == {str(index.digest): "v1", str(referrer.digest): None}


async def test_a_tag_that_moves_keeps_its_place_and_the_others(source, layout, copy):
    for tag in ("v1", "v2", "v3"):
        add_image(source, tag, seed=tag)
        await copy(source, layout, tag)
    moved = add_image(source, "v2", seed="moved")

    await copy(source, layout, "v2")

    names = [entry["annotations"][REF_NAME] for entry in read_index(layout)["manifests"]]
    assert names == ["v1", "v2", "v3"]
    assert (await layout.resolve(Tag("v2"))).digest == moved.digest


async def test_what_others_wrote_into_the_index_stays(source, layout, copy):
    add_image(source, "v1")
    await copy(source, layout)
    index = read_index(layout)
    index["annotations"] = {"org.example.note": "grüße"}
    index["manifests"][0]["platform"] = {"os": "linux", "architecture": "amd64"}
    (Path(layout.name.path) / "index.json").write_text(json.dumps(index))
    add_image(source, "v2", seed="second")

    await copy(source, layout, "v2")

    after = read_index(layout)
    assert after["annotations"] == index["annotations"]
    assert after["manifests"][0] == index["manifests"][0]


async def test_copying_again_writes_nothing(source, layout, copy):
    add_image(source, "v1")
    await copy(source, layout)
    before = {file: (Path(layout.name.path) / file).stat().st_mtime_ns for file in files_of(layout)}

    again = await copy(source, layout)

    assert not again.written
    assert before == {
        file: (Path(layout.name.path) / file).stat().st_mtime_ns for file in files_of(layout)
    }


async def test_a_blob_of_the_wrong_size_is_replaced(source, layout, copy):
    image = add_image(source, "v1")
    await copy(source, layout)
    torn = Path(layout.name.path) / "blobs/sha256" / image.layers[0].digest.hex
    torn.write_bytes(b"torn")

    assert not await layout.has_blob(image.layers[0])
    assert await layout.offer_blob(image.config) is BlobOutcome.PRESENT
    del source.tags[Tag("v1")]
    add_image(source, "v2")
    await copy(source, layout, "v2")

    assert await content_of(layout, image.layers[0]) == source.blobs[image.layers[0].digest]


async def test_a_layout_that_somebody_removed_is_written_again(source, layout, copy):
    image = add_image(source, "v1")
    await copy(source, layout)
    shutil.rmtree(layout.name.path)

    assert (await copy(source, layout)).written
    assert (await layout.resolve(Tag("v1"))).digest == image.digest


async def test_a_manifest_is_refused_while_something_it_names_is_missing(source, layout):
    image = add_image(source)
    index = add_index(source, [image])

    with pytest.raises(ContentMissing) as failure:
        await layout.put_manifest(image, Tag("v1"))
    assert set(failure.value.digests) == {str(blob.digest) for blob in image.blobs}
    with pytest.raises(ContentMissing) as failure:
        await layout.put_manifest(index, Tag("v1"))
    assert failure.value.digests == (str(image.digest),)


async def test_a_layout_that_is_not_there_is_not_found(layout):
    for reading in (layout.resolve(Tag("v1")), layout.get_manifest(Tag("v1")), tags_of(layout)):
        with pytest.raises(NotFound, match="there is no image layout"):
            await reading


async def test_an_empty_folder_is_as_good_as_none(tmp_path, source, copy):
    layout = open_layout(tmp_path)
    with pytest.raises(NotFound):
        await layout.resolve(Tag("v1"))
    add_image(source, "v1")

    assert (await copy(source, layout)).written


async def test_a_tag_that_is_not_there_is_not_found(source, layout, copy):
    add_image(source, "v1")
    await copy(source, layout)

    with pytest.raises(NotFound, match="has no tag v2"):
        await layout.get_manifest(Tag("v2"))


async def test_a_folder_with_other_files_is_left_alone(tmp_path, source, copy):
    (tmp_path / "letter.txt").write_text("dear reader")
    add_image(source, "v1")

    with pytest.raises(LayoutError, match="no image layout"):
        await copy(source, open_layout(tmp_path))

    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(LayoutError, match="but no oci-layout"):
        await tags_of(open_layout(tmp_path))


async def test_a_single_manifest_without_a_name_is_the_latest(source, layout, copy):
    image = add_image(source, "v1")
    await copy(source, layout)
    index = read_index(layout)
    del index["manifests"][0]["annotations"]
    (Path(layout.name.path) / "index.json").write_text(json.dumps(index))

    assert await tags_of(layout) == {"latest"}
    assert (await layout.get_manifest(Tag("latest"))).digest == image.digest


async def test_a_name_that_is_no_tag_is_left_out(source, layout, copy):
    add_image(source, "v1")
    await copy(source, layout)
    index = read_index(layout)
    index["manifests"].append(
        index["manifests"][0] | {"annotations": {REF_NAME: "docker.io/library/app:v1"}}
    )
    (Path(layout.name.path) / "index.json").write_text(json.dumps(index))

    assert await tags_of(layout) == {"v1"}


async def test_a_manifest_with_other_bytes_is_refused(source, layout, copy):
    image = add_image(source, "v1")
    await copy(source, layout)
    file = Path(layout.name.path) / "blobs/sha256" / image.digest.hex
    file.write_bytes(image.content.replace(b" ", b"\n", 1))

    with pytest.raises(ContentMismatch):
        await layout.get_manifest(Tag("v1"))


@pytest.mark.parametrize("offset", [0, 1, 999_999, 1_048_576, 2_999_999, 3_000_000])
async def test_a_blob_is_read_from_where_a_verifier_stands(source, layout, copy, offset):
    layer = add_layer(source, "large", 3_000_000)
    add_image(source, "v1", layers=[layer])
    await copy(source, layout)
    content = source.blobs[layer.digest]
    verifier = Verifier(layer)
    verifier.update(content[:offset])

    assert await content_of(layout, layer, verifier) == content[offset:]


async def test_the_last_piece_of_wrong_bytes_is_not_handed_out(source, layout, copy):
    layer = add_layer(source, "large", 3_000_000)
    add_image(source, "v1", layers=[layer])
    await copy(source, layout)
    file = Path(layout.name.path) / "blobs/sha256" / layer.digest.hex
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    seen = 0

    async def read() -> None:
        nonlocal seen
        async with layout.read_blob(layer) as pieces:
            async for piece in pieces:
                seen += len(piece)

    with pytest.raises(ContentMismatch):
        await read()
    assert 0 < seen < len(content)


async def test_a_truncated_blob_is_noticed_before_it_is_read(source, layout, copy):
    layer = add_layer(source, "large", 3_000_000)
    add_image(source, "v1", layers=[layer])
    await copy(source, layout)
    (Path(layout.name.path) / "blobs/sha256" / layer.digest.hex).write_bytes(b"short")

    with pytest.raises(ContentMismatch, match="has 5 bytes"):
        await content_of(layout, layer)


async def test_referrers_under_a_tag_of_the_tag_schema_are_found(source, layout, copy):
    image = add_image(source, "v1")
    elsewhere = source.registry.repository("elsewhere")
    referrer = add_referrer(elsewhere, add_image(elsewhere))
    tag = f"sha256-{image.digest.hex}"
    add_index(elsewhere, [referrer], tag)
    await copy(source, layout)
    await copy(elsewhere, layout, tag, referrers=False)

    assert [each.digest for each in await layout.list_referrers(image.digest)] == [referrer.digest]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"manifests": 1}', b'{"manifests": [1]}', b'{"a":1,"a":2}', b"\xff"],
)
async def test_a_spoilt_index_is_one_clear_error(source, layout, copy, content):
    add_image(source, "v1")
    await copy(source, layout)
    (Path(layout.name.path) / "index.json").write_bytes(content)

    with pytest.raises(LayoutError, match=r"index\.json"):
        await tags_of(layout)
    with pytest.raises(LayoutError, match=r"index\.json"):
        await layout.put_manifest(add_index(source, []), Tag("v2"))


@given(content=st.binary(max_size=200))
def test_no_index_breaks_the_reader(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("layout")
    (folder / "index.json").write_bytes(content)

    with contextlib.suppress(LayoutError):
        IndexFile(Folder(folder)).entries()


async def test_an_index_beyond_all_measure_is_not_read(source, layout, copy):
    add_image(source, "v1")
    await copy(source, layout)
    with (Path(layout.name.path) / "index.json").open("r+b") as index:
        index.truncate(17 * 1024 * 1024)

    with pytest.raises(LayoutError, match="more than"):
        await tags_of(layout)


async def test_a_manifest_beyond_all_measure_is_not_read(source, layout, copy):
    image = add_image(source, "v1")
    await copy(source, layout)
    with (Path(layout.name.path) / "blobs/sha256" / image.digest.hex).open("r+b") as file:
        file.truncate(1 << 40)

    with pytest.raises(InvalidManifest):
        await layout.get_manifest(Tag("v1"))


async def test_a_sha512_digest_has_a_folder_of_its_own(source, layout):
    content = b"some content"
    blob = Descriptor("text/plain", Digest.of(content, "sha512"), len(content))

    async def pieces():
        yield content

    upload = await layout.offer_blob(blob)
    await upload.send(pieces())

    assert f"blobs/sha512/{blob.digest.hex}" in files_of(layout)
    assert await layout.offer_blob(blob) is BlobOutcome.PRESENT


async def test_an_upload_of_the_wrong_length_leaves_nothing(layout):
    blob = Descriptor("text/plain", Digest.of(b"twelve bytes"), 12)

    async def pieces():
        yield b"eleven byte"

    with pytest.raises(ContentMismatch):
        await (await layout.offer_blob(blob)).send(pieces())
    assert files_of(layout) == {"oci-layout"}


async def test_readers_give_way_to_others(source, layout, copy):
    add_image(source, "v1", layers=[add_layer(source, "large", 8_000_000)])
    await copy(source, layout)
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await copy(layout, source.registry.repository("copy"))
    counting.cancel()

    assert turns > 8


async def test_a_referrer_that_is_left_alone_is_not_the_latest(source, layout, copy):
    image = add_image(source, "v1")
    add_referrer(source, image)
    await copy(source, layout)

    await layout.delete_tag(Tag("v1"))

    assert await tags_of(layout) == set()
    assert [each async for page in layout.observe_tags() for each in page] == []
    with pytest.raises(NotFound):
        await layout.get_manifest(Tag("latest"))
