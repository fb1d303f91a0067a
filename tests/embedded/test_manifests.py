"""Pushing, reading and deleting manifests and tags."""

from __future__ import annotations

import json

import pytest

from replicator.oci import media_types
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from tests.support.embedded import (
    descriptor_json,
    manifest_json,
    store_artifact,
    store_blob,
    store_image,
    store_index,
    store_manifest,
)

MISSING = Descriptor("application/vnd.oci.image.layer.v1.tar", Digest.of(b"not pushed"), 10)


@pytest.fixture
def config(storage) -> Descriptor:
    return store_blob(storage, "team/app", b"{}", "application/vnd.oci.image.config.v1+json")


async def push(http, reference, body, media_type=media_types.OCI_MANIFEST):
    content = body if isinstance(body, bytes) else json.dumps(body, indent=3).encode()
    headers = {"Content-Type": media_type} if media_type else {}
    return await http.put(f"/v2/team/app/manifests/{reference}", content=content, headers=headers)


def code_of(answer) -> str:
    return answer.json()["errors"][0]["code"]


async def test_a_manifest_comes_back_byte_for_byte(http, config):
    content = json.dumps(manifest_json(config, []), indent=7).encode()

    pushed = await push(http, "v1", content)
    by_tag = await http.get("/v2/team/app/manifests/v1")
    by_digest = await http.get(f"/v2/team/app/manifests/{Digest.of(content)}")

    assert pushed.status_code == 201
    assert pushed.headers["Location"] == f"/v2/team/app/manifests/{Digest.of(content)}"
    for answer in (by_tag, by_digest):
        assert answer.content == content
        assert answer.headers["Content-Type"] == media_types.OCI_MANIFEST
        assert answer.headers["Docker-Content-Digest"] == str(Digest.of(content))


async def test_head_tells_all_but_the_body(storage, http):
    image = store_image(storage, "team/app", "v1")

    answer = await http.head("/v2/team/app/manifests/v1")

    assert answer.headers["Content-Length"] == str(image.size)
    assert answer.headers["Docker-Content-Digest"] == str(image.digest)
    assert answer.headers["ETag"] == f'"{image.digest}"'
    assert answer.content == b""


@pytest.mark.parametrize("form", ['"{}"', "{}", 'W/"{}"', '"other", "{}"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_the_client_knows_is_not_sent_again(storage, http, form, method):
    image = store_image(storage, "team/app", "v1")

    answer = await http.request(
        method, "/v2/team/app/manifests/v1", headers={"If-None-Match": form.format(image.digest)}
    )

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["Docker-Content-Digest"] == str(image.digest)


async def test_what_has_changed_is_sent(storage, http):
    store_image(storage, "team/app", "v1", seed="new")

    answer = await http.get(
        "/v2/team/app/manifests/v1", headers={"If-None-Match": f'"{MISSING.digest}"'}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (None, 200),
        ("*/*", 200),
        (f"{media_types.OCI_INDEX}, {media_types.OCI_MANIFEST};q=0.5", 200),
        (media_types.DOCKER_MANIFEST, 404),
    ],
)
async def test_a_manifest_that_is_not_accepted_is_not_found(storage, http, accept, status):
    store_image(storage, "team/app", "v1")
    del http.headers["Accept"]

    answer = await http.get(
        "/v2/team/app/manifests/v1", headers={} if accept is None else {"Accept": accept}
    )

    assert answer.status_code == status


@pytest.mark.parametrize("reference", ["v1", str(MISSING.digest)])
async def test_an_unknown_manifest_is_not_found(http, reference):
    answer = await http.get(f"/v2/team/app/manifests/{reference}")

    assert (answer.status_code, code_of(answer)) == (404, "MANIFEST_UNKNOWN")


async def test_missing_content_is_named_each_digest_once(http, config):
    other = Descriptor(MISSING.media_type, Digest.of(b"not pushed either"), 17)

    answer = await push(http, "v1", manifest_json(config, [MISSING, other, MISSING]))

    errors = answer.json()["errors"]
    assert answer.status_code == 400
    assert {error["code"] for error in errors} == {"MANIFEST_BLOB_UNKNOWN"}
    assert [error["detail"]["digest"] for error in errors] == [
        str(MISSING.digest),
        str(other.digest),
    ]
    assert (await http.head("/v2/team/app/manifests/v1")).status_code == 404


async def test_an_index_with_a_missing_child_is_refused(storage, http):
    image = store_image(storage, "team/app")
    absent = Descriptor(media_types.OCI_MANIFEST, MISSING.digest, 10)
    body = {"schemaVersion": 2, "manifests": [descriptor_json(image), descriptor_json(absent)]}

    answer = await push(http, "v1", body, media_types.OCI_INDEX)

    assert (answer.status_code, code_of(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert answer.json()["errors"][0]["detail"]["digest"] == str(MISSING.digest)


async def test_an_index_of_layers_is_taken_as_build_caches_have_it(storage, http, config):
    layer = store_blob(storage, "team/app", b"layer", MISSING.media_type)
    body = {"schemaVersion": 2, "manifests": [descriptor_json(layer), descriptor_json(config)]}

    assert (await push(http, "cache", body, media_types.OCI_INDEX)).status_code == 201


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ],
)
async def test_a_layer_that_may_not_be_distributed_may_be_missing(http, config, media_type):
    layer = Descriptor(media_type, MISSING.digest, 10, urls=("https://example.com/layer",))

    assert (await push(http, "v1", manifest_json(config, [layer]))).status_code == 201


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"not JSON", media_types.OCI_MANIFEST),
        (b"[]", media_types.OCI_MANIFEST),
        (b'{"layers":[], "manifests":[]}', media_types.OCI_INDEX),
        (b'{"schemaVersion":1}', media_types.SCHEMA1_SIGNED),
        (b'{"schemaVersion":2}', "application/vnd.example.unheard.of+json"),
        (b'{"schemaVersion":2}', ""),
        (b'{"layers":[{"digest":"sha256:abc"}]}', media_types.OCI_MANIFEST),
    ],
)
async def test_what_is_no_manifest_is_refused(http, body, media_type):
    answer = await push(http, "v1", body, media_type)

    assert (answer.status_code, code_of(answer)) == (400, "MANIFEST_INVALID")


async def test_a_manifest_of_another_type_than_its_header_says_is_refused(http, config):
    answer = await push(http, "v1", manifest_json(config, []), media_types.OCI_INDEX)

    assert (answer.status_code, code_of(answer)) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize(("size", "status"), [(4 << 20, 201), ((4 << 20) + 1, 413)])
async def test_four_mebibytes_are_the_limit(http, config, size, status):
    content = json.dumps(manifest_json(config, [])).encode().ljust(size)

    assert (await push(http, "v1", content)).status_code == status


async def test_a_manifest_pushed_under_the_wrong_digest_is_refused(http, config):
    answer = await push(http, MISSING.digest, manifest_json(config, []))

    assert (answer.status_code, code_of(answer)) == (400, "DIGEST_INVALID")


async def test_a_manifest_may_be_named_by_sha512(http, config):
    content = json.dumps(manifest_json(config, [])).encode()
    digest = Digest.of(content, "sha512")

    pushed = await push(http, digest, content)
    answer = await http.get(f"/v2/team/app/manifests/{digest}")

    assert pushed.status_code == 201
    assert answer.headers["Docker-Content-Digest"] == str(digest)


async def test_a_push_by_digest_may_set_several_tags(http, config):
    content = json.dumps(manifest_json(config, [])).encode()

    answer = await push(http, f"{Digest.of(content)}?tag=a&tag=b", content)

    assert answer.headers.get_list("OCI-Tag") == ["a", "b"]
    for tag in ("a", "b"):
        assert (await http.get(f"/v2/team/app/manifests/{tag}")).content == content


@pytest.mark.parametrize("tag", ["-a", "a" * 129, "a+b"])
async def test_what_is_no_tag_is_refused(http, config, tag):
    answer = await push(http, tag, manifest_json(config, []))

    assert (answer.status_code, code_of(answer)) == (400, "TAG_INVALID")


async def test_a_moved_tag_leaves_the_old_manifest(storage, http):
    old = store_image(storage, "team/app", "v1", seed="old")
    new = store_image(storage, "team/app", "v1", seed="new")

    by_tag = await http.head("/v2/team/app/manifests/v1")

    assert by_tag.headers["Docker-Content-Digest"] == str(new.digest)
    assert (await http.head(f"/v2/team/app/manifests/{old.digest}")).status_code == 200


async def test_a_deleted_tag_leaves_its_manifest_and_its_sister(storage, http):
    image = store_image(storage, "team/app", "v1")
    store_image(storage, "team/app", "latest")

    first = await http.delete("/v2/team/app/manifests/v1")
    second = await http.delete("/v2/team/app/manifests/v1")

    assert (first.status_code, second.status_code) == (202, 404)
    for reference in ("latest", image.digest):
        assert (await http.head(f"/v2/team/app/manifests/{reference}")).status_code == 200


async def test_a_deleted_manifest_takes_its_tags_along(storage, http):
    image = store_image(storage, "team/app", "v1")
    store_image(storage, "team/app", "other", seed="other")

    answer = await http.delete(f"/v2/team/app/manifests/{image.digest}")

    assert answer.status_code == 202
    assert (await http.head("/v2/team/app/manifests/v1")).status_code == 404
    assert storage.tags("team/app") == ["other"]


async def test_referrers_are_listed_by_kind_and_forgotten_when_deleted(storage, http):
    image = store_image(storage, "team/app", "v1")
    signature = store_artifact(
        storage, "team/app", seed="s", subject=image, annotations={"by": "alice"}
    )
    report = store_artifact(
        storage, "team/app", seed="r", subject=image, artifact_type="application/vnd.example.report"
    )
    path = f"/v2/team/app/referrers/{image.digest}"

    everything = await http.get(path)
    reports = await http.get(path, params={"artifactType": "application/vnd.example.report"})
    await http.delete(f"/v2/team/app/manifests/{report.digest}")
    rest = await http.get(path)

    assert everything.headers["Content-Type"] == media_types.OCI_INDEX
    assert digests(everything) == {str(signature.digest), str(report.digest)}
    assert "OCI-Filters-Applied" not in everything.headers
    assert reports.headers["OCI-Filters-Applied"] == "artifactType"
    assert digests(reports) == {str(report.digest)}
    assert rest.json()["manifests"] == [
        {
            "mediaType": media_types.OCI_MANIFEST,
            "digest": str(signature.digest),
            "size": signature.size,
            "artifactType": "application/vnd.example.signature",
            "annotations": {"by": "alice"},
        }
    ]


def digests(answer) -> set[str]:
    return {entry["digest"] for entry in answer.json()["manifests"]}


async def test_a_pushed_referrer_is_acknowledged_also_when_its_subject_is_missing(http, config):
    subject = Descriptor(media_types.OCI_MANIFEST, MISSING.digest, 10)
    body = manifest_json(config, []) | {"subject": descriptor_json(subject)}
    content = json.dumps(body).encode()

    pushed = await push(http, Digest.of(content), content)
    listed = await http.get(f"/v2/team/app/referrers/{subject.digest}")

    assert pushed.headers["OCI-Subject"] == str(subject.digest)
    # Without an artifactType the type of the config tells what it is.
    assert listed.json()["manifests"][0]["artifactType"] == config.media_type


async def test_an_index_may_be_a_referrer(http):
    subject = Descriptor(media_types.OCI_MANIFEST, MISSING.digest, 10)
    body = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "artifactType": "application/vnd.example.bundle",
        "manifests": [],
        "subject": descriptor_json(subject),
    }

    await push(http, "bundle", body, media_types.OCI_INDEX)
    listed = await http.get(f"/v2/team/app/referrers/{subject.digest}")

    assert [entry["artifactType"] for entry in listed.json()["manifests"]] == [
        "application/vnd.example.bundle"
    ]


async def test_what_nothing_refers_to_has_an_empty_list(http):
    answer = await http.get(f"/v2/team/app/referrers/{MISSING.digest}")

    assert answer.json() == {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [],
    }


async def test_every_kind_of_stored_content_can_be_pushed(storage, http):
    """What the builders of the tests make is what a client could have pushed."""
    stored = [
        store_image(storage, "team/app", "oci"),
        store_image(storage, "team/app", "docker", docker=True),
        store_index(storage, "team/app", "index"),
        store_index(storage, "team/app", "list", docker=True),
        store_artifact(storage, "team/app", "artifact"),
        store_manifest(
            storage,
            "team/app",
            {"mediaType": media_types.OCI_ARTIFACT, "artifactType": "a/b", "blobs": []},
            media_types.OCI_ARTIFACT,
        ),
    ]

    for descriptor in stored:
        content = storage.manifest("team/app", descriptor.digest).content
        answer = await push(http, descriptor.digest, content, descriptor.media_type)
        assert answer.status_code == 201
