"""Manifests keep their exact bytes, and what is not one manifest is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import InvalidDigest, InvalidManifest, UnsupportedSchema1
from replicator.oci import media_types as types
from replicator.oci.digest import Digest
from replicator.oci.manifest import MAX_MANIFEST_SIZE, Manifest
from replicator.oci.platform import Platform


def descriptor(content: bytes, media_type: str = "application/x", **more) -> dict:
    digest = str(Digest.of(content))
    return {"mediaType": media_type, "digest": digest, "size": len(content), **more}


def image(**more) -> dict:
    return {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": descriptor(b"config"),
        "layers": [descriptor(b"one"), descriptor(b"two"), descriptor(b"one")],
        **more,
    }


def index(**more) -> dict:
    arm = {"os": "linux", "architecture": "arm", "variant": "v7"}
    children = [descriptor(b"child", types.OCI_MANIFEST, platform=arm)]
    return {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": children, **more}


def parse(body: dict, content_type: str = "") -> Manifest:
    content = json.dumps(body, indent=3).encode()
    return Manifest.parse(content, content_type or body["mediaType"])


def test_the_bytes_are_kept_as_they_came():
    content = b' {"layers" : [ ],\n\t"config": null, "mediaType": "%s"}  ' % (
        types.OCI_MANIFEST.encode()
    )

    manifest = Manifest.parse(content, types.OCI_MANIFEST)

    assert manifest.content == content
    assert manifest.digest == Digest.of(content)
    assert manifest.descriptor.size == len(content)


def test_blobs_are_config_and_layers_each_once():
    digests = [blob.digest for blob in parse(image()).blobs]

    assert digests == [Digest.of(b"config"), Digest.of(b"one"), Digest.of(b"two")]


def test_an_index_names_its_children_with_their_platforms():
    manifest = parse(index())

    assert manifest.is_index
    assert [child.platform for child in manifest.manifests] == [Platform("linux", "arm", "v7")]
    assert manifest.blobs == ()


def test_parameters_of_the_content_type_do_not_count():
    assert parse(image(), types.OCI_MANIFEST + "; charset=utf-8").media_type == types.OCI_MANIFEST


def test_without_its_own_media_type_the_header_decides():
    body = image()
    del body["mediaType"]

    assert parse(body, types.DOCKER_MANIFEST).media_type == types.DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("body", "media_type"), [(image(), types.OCI_MANIFEST), (index(), types.OCI_INDEX)]
)
def test_under_a_generic_header_the_shape_decides(body, media_type):
    del body["mediaType"]

    assert parse(body, "application/json").media_type == media_type


def test_a_subject_and_artifact_type_are_read():
    manifest = parse(image(subject=descriptor(b"subject"), artifactType="application/sbom"))

    assert manifest.subject is not None
    assert manifest.subject.digest == Digest.of(b"subject")
    assert manifest.as_referrer().artifact_type == "application/sbom"


def test_a_referrer_without_artifact_type_goes_by_its_config():
    manifest = parse(image(config=descriptor(b"{}", "application/vnd.example")))

    assert manifest.as_referrer().artifact_type == "application/vnd.example"


def test_the_withdrawn_artifact_manifest_has_blobs():
    body = {"mediaType": types.OCI_ARTIFACT, "blobs": [descriptor(b"blob")]}

    assert [blob.digest for blob in parse(body).blobs] == [Digest.of(b"blob")]


def test_an_unknown_manifest_type_is_kept_with_what_it_visibly_refers_to():
    body = {"mediaType": "application/vnd.example.v9+json", "layers": [descriptor(b"layer")]}

    manifest = parse(body)

    assert manifest.media_type == "application/vnd.example.v9+json"
    assert [blob.digest for blob in manifest.blobs] == [Digest.of(b"layer")]


def test_a_sha512_manifest_is_named_by_sha512():
    content = json.dumps(image()).encode()

    manifest = Manifest.parse(content, types.OCI_MANIFEST, algorithm="sha512")

    assert manifest.digest == Digest.of(content, "sha512")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ({"schemaVersion": 1, "name": "x", "fsLayers": []}, types.SCHEMA1_SIGNED),
        ({"schemaVersion": 1, "name": "x"}, "application/json"),
        (image(), types.SCHEMA1),
    ],
)
def test_schema_1_is_refused_by_its_name(body, content_type):
    with pytest.raises(UnsupportedSchema1, match="schema 1"):
        parse(body, content_type)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not a manifest"),
        (b"<html>", "not a manifest"),
        (b"[]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'{"mediaType": 1}', "mediaType is not text"),
        (b'{"a": 1, "a": 2}', "duplicate key"),
        (b'{"config": {"a": 1, "a": 2}}', "duplicate key"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not"),
        (b'{"a": 9223372036854775808}', "64 bits"),
        (b'{"a": ' + b"9" * 5000 + b"}", "64 bits"),
        (b'{"a": "\\ud800"}', "UTF-8"),
        (b"\xef\xbb\xbf{}", "not a manifest"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b"{} {}", "not a manifest"),
        (b'{"a":' * 100_000, "nested too deeply|not a manifest"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "neither by header nor by shape"),
        (b'{"manifests": [], "layers": []}', "both an index and a manifest"),
        (b'{"manifests": [], "config": {}}', "both an index and a manifest"),
        (b'{"layers": {}, "config": null}', "layers is not a list"),
        (b'{"layers": [1], "config": null}', "lacks mediaType, digest or size"),
        (b'{"layers": [{}], "config": null}', "lacks mediaType, digest or size"),
    ],
)
def test_what_is_not_one_manifest_is_refused(content, complaint):
    with pytest.raises(InvalidManifest, match=complaint):
        Manifest.parse(content, "application/json")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (image(), types.OCI_INDEX),
        (image(), types.DOCKER_MANIFEST),
        (index(), types.OCI_MANIFEST),
        ({"layers": []}, types.OCI_INDEX),
        ({"manifests": []}, types.OCI_MANIFEST),
    ],
)
def test_a_body_that_contradicts_its_header_is_refused(body, content_type):
    with pytest.raises(InvalidManifest):
        parse(body, content_type)


@pytest.mark.parametrize("size", [-1, True, "1", 1.5, None])
def test_a_descriptor_without_a_real_size_is_refused(size):
    body = image()
    body["layers"][0]["size"] = size

    with pytest.raises(InvalidManifest):
        parse(body)


def test_a_digest_we_cannot_verify_is_refused():
    body = image()
    body["layers"][0]["digest"] = "blake3:" + "0" * 64

    with pytest.raises(InvalidDigest, match="blake3"):
        parse(body)


def test_a_manifest_over_the_limit_is_refused_with_the_limit_named():
    with pytest.raises(InvalidManifest, match=str(MAX_MANIFEST_SIZE)):
        Manifest.parse(b" " * (MAX_MANIFEST_SIZE + 1), types.OCI_MANIFEST)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)
bodies = st.dictionaries(
    st.sampled_from(
        ["mediaType", "schemaVersion", "manifests", "layers", "config", "subject", "blobs"]
    ),
    json_values | st.lists(st.just(descriptor(b"x"))),
)


@given(st.binary() | bodies.map(lambda body: json.dumps(body).encode()), st.text())
def test_nothing_but_our_errors_escapes(content, content_type):
    try:
        manifest = Manifest.parse(content, content_type)
    except (InvalidManifest, InvalidDigest):
        return
    assert manifest.content == content
