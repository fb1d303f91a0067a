"""Manifests and tags when registries have habits, policies or faults."""

from __future__ import annotations

import asyncio
import json

import pytest

from replicator.errors import (
    ContentMismatch,
    ContentMissing,
    Denied,
    InvalidManifest,
    MediaTypeRejected,
    NotFound,
    RegistryUnavailable,
    Rejected,
    TagImmutable,
    TooLarge,
    UnsupportedSchema1,
)
from replicator.events import RequestKind
from replicator.oci import media_types
from replicator.oci.digest import Digest
from replicator.oci.manifest import Manifest
from replicator.oci.reference import Tag
from tests.registry.test_repository import V1, blob_of, manifest_of, push_image, send
from tests.support import faults as fault
from tests.support.embedded import (
    descriptor_json,
    manifest_json,
    random_bytes,
    store_image,
    store_manifest,
)

HEAD = "HEAD", "/manifests/"
GET = "GET", "/manifests/"
PUT = "PUT", "/manifests/"


@pytest.fixture
def client(open_client, faulty):
    return open_client(faulty.host)


@pytest.fixture
def image(faulty):
    return store_image(faulty.storage, "team/app", "v1")


def heads_and_gets(client):
    requests = client.heard.requests
    return requests[RequestKind.MANIFEST_HEAD], requests[RequestKind.MANIFEST_GET]


@pytest.mark.parametrize("header", [None, "", "nonsense", "blake3:00"])
async def test_without_a_digest_in_the_answer_the_bytes_are_hashed(
    faults, client, repository, image, header
):
    faults.add(fault.set_header("Docker-Content-Digest", header))

    assert await repository.resolve(V1) == image
    assert heads_and_gets(client) == (1, 1)


async def test_an_empty_digest_in_the_answer_tells_a_pull_through_proxy(
    client, repository, faulty, faults
):
    stored = store_image(faulty.storage, "team/app", "v1")
    store_image(faulty.storage, "other/app", "v1")
    assert not await repository.may_be_proxy(V1)
    faults.add(fault.set_header("Docker-Content-Digest", ""), *GET)

    manifest = await repository.get_manifest(Tag("v1"))

    assert manifest.digest == stored.digest
    assert await repository.may_be_proxy(V1)
    assert await client.registry.repository("team/other").may_be_proxy(V1)
    assert not await client.registry.repository("other/app").may_be_proxy(V1)


async def test_what_an_entry_calls_a_pull_through_cache_is_one(open_client, faulty):
    below = open_client(faulty.host, pull_through=("hub", "team/app")).registry
    whole = open_client(faulty.host, pull_through=("*",)).registry

    paths = ("hub/library/app", "team/app", "team/application", "hubble/app")
    told = [await below.repository(path).may_be_proxy(V1) for path in paths]

    assert told == [True, True, False, False]
    assert await whole.repository("any/app").may_be_proxy(V1)


async def test_a_registry_whose_heads_say_nothing_is_asked_by_get_from_then_on(
    faults, client, repository, image
):
    faults.add(fault.set_header("Docker-Content-Digest", None), "HEAD")

    await repository.resolve(V1)
    await repository.resolve(V1)

    assert heads_and_gets(client) == (1, 2)


@pytest.mark.parametrize("status", [404, 405, 403])
async def test_a_head_that_fails_is_no_proof(faults, repository, image, status):
    faults.add(fault.answer(status), *HEAD)

    assert await repository.resolve(V1) == image


async def test_whether_a_head_can_be_believed_is_found_out_once(client, repository, image):
    absent = await asyncio.gather(
        *(repository.resolve(Tag(name)) for name in "abcdef"), return_exceptions=True
    )

    assert {type(error) for error in absent} == {NotFound}
    assert heads_and_gets(client) == (6, 1)


async def test_a_profile_may_vouch_for_heads(open_client, faulty):
    client = open_client(faulty.host, kind="distribution")

    with pytest.raises(NotFound):
        await client.registry.repository("team/app").resolve(V1)

    assert heads_and_gets(client) == (1, 0)


async def test_wrong_bytes_under_a_digest_are_a_mismatch(faults, repository, image):
    faults.add(
        fault.edit_body(lambda body: body.replace(b'"schemaVersion": 2', b'"schemaVersion":2')),
        *GET,
    )

    for ref in (V1, image.digest):
        with pytest.raises(ContentMismatch):
            await repository.get_manifest(ref)


async def test_wrong_bytes_are_fetched_once_more(faults, repository, image):
    faults.add(fault.flip_byte(5), *GET, nth=1)

    assert (await repository.get_manifest(V1)).descriptor == image


async def test_a_manifest_has_a_limit(open_client, faulty, faults, image):
    repository = open_client(faulty.host, max_manifest_size=200).registry.repository("team/app")

    with pytest.raises(InvalidManifest, match="more than 200 bytes"):
        await repository.get_manifest(V1)


async def test_a_manifest_without_end_is_cut_short(faults, repository, image):
    faults.add(fault.endless_body(), *GET)

    with pytest.raises(InvalidManifest, match="more than"):
        await repository.get_manifest(V1)


async def test_what_is_wrong_with_a_manifest_is_said_with_its_name(faulty, repository):
    store_manifest(faulty.storage, "team/app", b"[]", tag="v1")
    body = {"schemaVersion": 1, "fsLayers": []}
    store_manifest(faulty.storage, "team/app", body, media_types.SCHEMA1_SIGNED, tag="v2")

    with pytest.raises(InvalidManifest, match="team/app:v1: not a manifest"):
        await repository.get_manifest(V1)
    with pytest.raises(UnsupportedSchema1, match="team/app:v2"):
        await repository.get_manifest(Tag("v2"))


async def test_a_manifest_is_put_as_it_is_with_its_type(faults, repository):
    seen = {}

    async def look(app, scope, receive, send):
        seen.update(scope["headers"])
        await app(scope, receive, send)

    faults.add(look, *PUT)

    image = await push_image(repository)

    assert seen[b"content-type"] == image.media_type.encode()
    assert (await repository.get_manifest(V1)).content == image.content


async def test_the_answers_digest_is_the_confirmation(faults, client, repository):
    await push_image(repository)

    assert heads_and_gets(client) == (0, 0)


async def test_without_a_digest_in_the_answer_the_tag_is_read_back(faults, client, repository):
    faults.add(fault.set_header("Docker-Content-Digest", None), *PUT)

    await push_image(repository)

    assert heads_and_gets(client) == (1, 0)


async def test_another_digest_in_the_answer_is_a_mismatch(faults, repository):
    faults.add(fault.set_header("Docker-Content-Digest", f"sha256:{'0' * 64}"), *PUT)

    with pytest.raises(ContentMismatch, match="names sha256:0000"):
        await push_image(repository)


async def test_a_put_that_changed_nothing_is_a_mismatch(faults, repository):
    await push_image(repository)
    faults.add(fault.answer(201), *PUT)

    with pytest.raises(ContentMismatch, match="names"):
        await push_image(repository, seed="other")


async def test_a_put_whose_answer_was_lost_is_looked_up(faults, faulty, repository):
    faults.add(fault.set_status(502), *PUT, nth=1)

    image = await push_image(repository)

    assert await repository.resolve(V1) == image.descriptor
    assert faulty.requests.count(*PUT) == 1


async def test_a_put_that_did_not_arrive_is_repeated(faults, faulty, repository):
    faults.add(fault.hang_up(), *PUT, nth=1)

    image = await push_image(repository)

    assert await repository.resolve(V1) == image.descriptor


async def test_a_registry_that_cannot_be_asked_either_is_unavailable(faults, repository):
    faults.add(fault.answer(503))
    config = blob_of(b"{}")

    with pytest.raises(RegistryUnavailable):
        await repository.put_manifest(manifest_of(manifest_json(config, [])), V1)


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_any_success_of_a_put_will_do(faults, repository, status):
    faults.add(fault.set_status(status), *PUT)

    await push_image(repository)


LAYER = blob_of(b"missing")


@pytest.mark.parametrize(
    ("status", "code", "message", "detail"),
    [
        (400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry", {"Digest": str(LAYER.digest)}),
        (400, "MANIFEST_BLOB_UNKNOWN", "", str(LAYER.digest)),
        (404, "MANIFEST_BLOB_UNKNOWN", "", str(LAYER.digest)),
        (400, "BLOB_UNKNOWN", "", {"digest": str(LAYER.digest)}),
        (404, "BLOB_UNKNOWN", "", str(LAYER.digest)),
        (400, "MANIFEST_INVALID", "", {"message": f"Unknown blob `{LAYER.digest}`"}),
    ],
)
async def test_every_registrys_word_for_missing_content_is_understood(
    faults, repository, status, code, message, detail
):
    faults.add(fault.answer(status, fault.error_body(code, message, detail)), *PUT)
    config = await send(repository, b"{}")

    with pytest.raises(ContentMissing) as refusal:
        await repository.put_manifest(manifest_of(manifest_json(config, [LAYER])), V1)

    assert refusal.value.digests == (str(LAYER.digest),)
    assert refusal.value.status == status
    assert refusal.value.codes == (code,)


async def test_a_missing_child_is_missing_content(faults, repository):
    child = blob_of(b"a child")
    message = f"Could not find child manifest with digest `{child.digest}`"
    body = fault.error_body("MANIFEST_INVALID", "manifest invalid", {"message": message})
    faults.add(fault.answer(400, body), *PUT)
    index = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [descriptor_json(child)],
    }

    with pytest.raises(ContentMissing) as refusal:
        await repository.put_manifest(manifest_of(index), V1)

    assert refusal.value.digests == (str(child.digest),)


async def test_a_manifest_that_a_refusal_repeats_is_not_said_to_lack_all_that_it_names(
    faults, repository
):
    config, layer = await send(repository, b"{}"), await send(repository, b"a layer")
    manifest = manifest_of(manifest_json(config, [layer]))
    message = (
        "Manifest is invalid: 'history' is a required property\n\n"
        "Failed validating 'required' in schema:\n    {'properties': {'mediaType': {}}}\n\n"
        f"On instance:\n    {json.loads(manifest.content)}"
    )
    body = fault.error_body("MANIFEST_INVALID", "manifest invalid", {"message": message})
    faults.add(fault.answer(400, body), *PUT)

    with pytest.raises(Rejected) as refusal:
        await repository.put_manifest(manifest, V1)

    assert type(refusal.value) is Rejected


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("harbor", 412, "PRECONDITION"),
        ("quay", 409, "TAG_IMMUTABLE"),
        ("ecr", 400, "TAG_INVALID"),
        ("dockerhub", 403, "DENIED"),
        ("artifactory", 403, ""),
        ("acr", 405, "REGISTRY_DISALLOWED_OPERATION"),
        ("generic", 412, ""),
        ("generic", 409, ""),
    ],
)
async def test_a_tag_that_may_not_be_moved_is_immutable_unless_it_need_not_be(
    open_client, faults, faulty, kind, status, code
):
    repository = open_client(faulty.host, kind=kind).registry.repository("team/app")
    image = await push_image(repository)
    faults.add(fault.answer(status, fault.error_body(code) if code else b""), *PUT)

    await repository.put_manifest(image, V1)
    with pytest.raises(TagImmutable) as refusal:
        await push_image(repository, seed="other")

    assert refusal.value.kind == "blocked_by_policy"
    assert refusal.value.status == status


async def test_a_denial_is_known_as_immutability_by_its_words(faults, repository):
    await push_image(repository)
    body = fault.error_body("DENIED", "tag is immutable and cannot be overwritten")
    faults.add(fault.answer(403, body), *PUT)

    with pytest.raises(TagImmutable):
        await push_image(repository, seed="other")


async def test_a_denial_stays_one_where_nothing_speaks_of_immutability(faults, repository):
    await push_image(repository)
    faults.add(fault.answer(403, fault.error_body("DENIED", "quota exceeded")), *PUT)

    with pytest.raises(Denied, match="quota"):
        await push_image(repository, seed="other")


async def test_a_new_tag_that_is_refused_is_not_immutable(faults, repository):
    faults.add(fault.answer(409), *PUT)

    with pytest.raises(Rejected) as refusal:
        await push_image(repository)

    assert not isinstance(refusal.value, TagImmutable)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (415, b""),
        (415, fault.error_body("MANIFEST_INVALID", "manifest invalid")),
        (400, fault.error_body("MANIFEST_INVALID", "unsupported media type")),
    ],
)
async def test_a_media_type_may_be_rejected(faults, repository, status, body):
    faults.add(fault.answer(status, body), *PUT)

    with pytest.raises(MediaTypeRejected):
        await push_image(repository)


async def test_zot_and_distribution_reject_unknown_types(
    open_client, distribution3, repository_path
):
    repository = open_client(distribution3.host).registry.repository(repository_path)
    content = json.dumps({"mediaType": "application/x.unknown+json", "layers": []}).encode()
    manifest = Manifest.parse(content, "application/x.unknown+json")

    with pytest.raises(MediaTypeRejected):
        await repository.put_manifest(manifest, V1)


@pytest.mark.parametrize("version", ["distribution2", "distribution3"])
async def test_a_layer_with_urls_that_a_registry_chokes_on_is_rejected_without_repetition(
    open_client, request, repository_path, version
):
    client = open_client(request.getfixturevalue(version).host)
    repository = client.registry.repository(repository_path)
    config, layer = await send(repository, b"{}"), await send(repository, b"a layer")
    body = manifest_json(config, [layer])
    body["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar"
    body["layers"][0]["urls"] = ["https://example.com/layer"]

    with pytest.raises(Rejected, match="URLs"):
        await repository.put_manifest(manifest_of(body), V1)

    assert client.heard.requests[RequestKind.MANIFEST_PUT] == 1


async def test_a_manifest_that_is_too_large_for_a_proxy_is_said_to_be(faults, repository):
    faults.add(fault.answer(413, b"<html>"), *PUT)

    with pytest.raises(TooLarge, match="proxy"):
        await push_image(repository)


async def test_a_manifest_under_sha512_is_confirmed(faulty, repository):
    layer = await send(repository, random_bytes("layer", 100))
    content = json.dumps(manifest_json(layer, [layer])).encode()
    manifest = Manifest.parse(content, media_types.OCI_MANIFEST, algorithm="sha512")

    await repository.put_manifest(manifest)
    await repository.put_manifest(manifest, V1)

    assert (await repository.get_manifest(manifest.digest)).digest == manifest.digest
    assert (await repository.resolve(V1)).digest == Digest.of(content)


async def test_a_delete_that_is_not_supported_is_rejected(
    open_client, distribution2, repository_path
):
    repository = open_client(distribution2.host).registry.repository(repository_path)
    await push_image(repository)

    with pytest.raises(Rejected):
        await repository.delete_tag(V1)
