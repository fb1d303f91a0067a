"""The contract of a repository, with real registries on the other side."""

from __future__ import annotations

import json

import pytest

from replicator.errors import ContentMissing, NotFound
from replicator.events import BlobOutcome, RequestKind
from replicator.oci import media_types
from replicator.oci.descriptor import EMPTY_CONTENT, EMPTY_DESCRIPTOR, Descriptor
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from replicator.oci.verify import Verifier
from replicator.registry.protocols import RepositoryReader, RepositoryWriter
from replicator.registry.repository import Repository
from tests.registry.clients import Client, pieces_of, read
from tests.support.embedded import descriptor_json, manifest_json, random_bytes

V1 = Tag("v1")


def blob_of(content: bytes) -> Descriptor:
    return Descriptor(media_types.OCTET_STREAM, Digest.of(content), len(content))


def manifest_of(body: dict[str, object]) -> Manifest:
    # Not the way json.dumps writes it, so that whoever writes it anew is found out.
    content = json.dumps(body, indent=3).encode()
    return Manifest.parse(content, str(body["mediaType"]))


async def send(repository: RepositoryWriter, content: bytes) -> Descriptor:
    """Bring a blob to *repository* in whatever way it takes."""
    blob = blob_of(content)
    offer = await repository.offer_blob(blob)
    if not isinstance(offer, BlobOutcome):
        await offer.send(pieces_of(content))
    return blob


async def push_image(
    repository: RepositoryWriter, tag: Tag | None = V1, *, seed: str = "image"
) -> Manifest:
    config = await send(repository, json.dumps({"seed": seed}).encode())
    layer = await send(repository, random_bytes(seed, 3000))
    manifest = manifest_of(manifest_json(config, [layer]))
    await repository.put_manifest(manifest, tag)
    return manifest


@pytest.fixture
def repository(client: Client, repository_path: str) -> Repository:
    return client.registry.repository(repository_path)


def test_a_repository_is_a_reader_and_a_writer(repository):
    reader: RepositoryReader = repository
    writer: RepositoryWriter = repository

    assert reader.name == writer.name


async def test_a_tag_resolves_to_what_was_put_there(repository):
    manifest = await push_image(repository)

    assert await repository.resolve(V1) == manifest.descriptor


async def test_a_manifest_comes_back_byte_for_byte_by_tag_and_by_digest(repository):
    manifest = await push_image(repository)

    assert (await repository.get_manifest(V1)).content == manifest.content
    assert (await repository.get_manifest(manifest.digest)).content == manifest.content


async def test_what_is_not_there_is_not_found(repository):
    await push_image(repository)

    with pytest.raises(NotFound):
        await repository.resolve(Tag("absent"))
    with pytest.raises(NotFound):
        await repository.get_manifest(Digest.of(b"absent"))
    with pytest.raises(NotFound):
        async with repository.read_blob(blob_of(b"absent")) as pieces:
            await read(pieces)
    assert not await repository.has_blob(blob_of(b"absent"))


async def test_the_tags_of_a_repository_that_does_not_exist_are_not_found(repository):
    with pytest.raises(NotFound):
        _ = [page async for page in repository.list_tags()]


async def test_a_blob_is_read_as_it_was_sent(repository):
    content = random_bytes("large", 3 * 1024 * 1024 + 17)

    blob = await send(repository, content)

    assert await repository.has_blob(blob)
    async with repository.read_blob(blob) as pieces:
        assert await read(pieces) == content


async def test_a_blob_is_read_on_from_where_a_verifier_is(repository):
    content = random_bytes("resumed", 100_000)
    blob = await send(repository, content)
    verifier = Verifier(blob)
    verifier.update(content[:40_000])

    async with repository.read_blob(blob, verifier=verifier) as pieces:
        assert await read(pieces) == content[40_000:]


async def test_a_blob_without_bytes_can_be_sent_and_read(repository):
    blob = await send(repository, b"")

    assert await repository.has_blob(blob)
    async with repository.read_blob(blob) as pieces:
        assert await read(pieces) == b""


async def test_the_empty_object_is_never_fetched(client, repository):
    async with repository.read_blob(EMPTY_DESCRIPTOR) as pieces:
        assert await read(pieces) == EMPTY_CONTENT

    assert not client.heard.events


async def test_a_blob_under_sha512_can_be_sent(open_client, distribution3, repository_path):
    repository = open_client(distribution3.host).registry.repository(repository_path)
    content = random_bytes("sha512", 5000)
    blob = Descriptor(media_types.OCTET_STREAM, Digest.of(content, "sha512"), len(content))

    offer = await repository.offer_blob(blob)
    await offer.send(pieces_of(content))

    async with repository.read_blob(blob) as pieces:
        assert await read(pieces) == content


async def test_a_blob_that_is_there_is_present(repository):
    content = random_bytes("present", 1000)
    await send(repository, content)

    assert await repository.offer_blob(blob_of(content)) == BlobOutcome.PRESENT


async def test_a_session_can_be_taken_up_by_another_client(
    open_client, distribution3, repository_path
):
    content = random_bytes("handed over", 50_000)
    blob = blob_of(content)
    first = open_client(distribution3.host).registry.repository(repository_path)
    second = open_client(distribution3.host).registry.repository(repository_path)
    offer = await first.offer_blob(blob)

    upload = await second.continue_upload(blob, offer.location)
    await upload.send(pieces_of(content))

    assert await first.has_blob(blob)


async def test_an_index_is_written_after_its_children(repository):
    image = await push_image(repository, None)
    index = manifest_of(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [descriptor_json(image.descriptor)],
        }
    )

    await repository.put_manifest(index, V1)

    assert (await repository.get_manifest(V1)).manifests == (image.descriptor,)


async def test_a_manifest_whose_layer_is_missing_is_refused_and_the_layer_named(
    open_client, distribution3, repository_path
):
    repository = open_client(distribution3.host).registry.repository(repository_path)
    config = await send(repository, b"{}")
    layer = blob_of(b"never sent")

    with pytest.raises(ContentMissing) as refusal:
        await repository.put_manifest(manifest_of(manifest_json(config, [layer])), V1)

    assert refusal.value.digests == (str(layer.digest),)


async def test_every_tag_is_listed_once(repository):
    manifest = await push_image(repository, Tag("a"))
    for name in ("b", "c", "sha256-abc"):
        await repository.put_manifest(manifest, Tag(name))

    pages = [page async for page in repository.list_tags()]

    assert sorted(tag for page in pages for tag in page) == ["a", "b", "c", "sha256-abc"]


async def test_a_referrer_is_found_from_its_subject(client, repository_path):
    repository = client.registry.repository(repository_path)
    subject = await push_image(repository)
    config = await send(repository, b"{}")
    referrer = manifest_of(
        manifest_json(config, [config])
        | {"artifactType": "application/x.test", "subject": descriptor_json(subject.descriptor)}
    )
    await repository.put_manifest(referrer)

    await repository.announce_referrers(subject.digest, [referrer.as_referrer()])

    # As somebody sees it who has not written it.
    found = await client.registry.repository(repository_path).list_referrers(subject.digest)
    assert found == (referrer.descriptor,)
    assert found[0].artifact_type == "application/x.test"


async def test_a_manifest_without_referrers_has_none(repository):
    subject = await push_image(repository)

    assert await repository.list_referrers(subject.digest) == ()
    assert await repository.signature_tags(subject.digest) == ()


async def test_signature_tags_are_found(client, repository_path):
    repository = client.registry.repository(repository_path)
    subject = await push_image(repository)
    tag = Tag(f"sha256-{subject.digest.hex}.sig")
    await push_image(repository, tag, seed="signature")

    again = client.registry.repository(repository_path)

    assert await again.signature_tags(subject.digest) == (tag,)


async def test_a_deleted_manifest_is_gone(open_client, distribution3, repository_path):
    repository = open_client(distribution3.host).registry.repository(repository_path)
    manifest = await push_image(repository)

    await repository.delete_manifest(manifest.digest)

    with pytest.raises(NotFound):
        await repository.resolve(V1)


async def test_a_deleted_tag_leaves_its_manifest(open_client, distribution3, repository_path):
    repository = open_client(distribution3.host).registry.repository(repository_path)
    manifest = await push_image(repository)

    await repository.delete_tag(V1)

    assert (await repository.resolve(manifest.digest)).digest == manifest.digest
    with pytest.raises(NotFound):
        await repository.resolve(V1)


async def test_a_registry_that_needs_no_ping_gets_none(client, repository):
    await push_image(repository)

    assert RequestKind.PING not in client.heard.requests
