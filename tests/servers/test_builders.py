"""What the builders push is whole, always the same, and readable by others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.support import builders, skopeo
from tests.support.certificates import Authority
from tests.support.contents import contents
from tests.support.media_types import DOCKER
from tests.support.plain_repository import PlainRepository, fallback_tag

KINDS = {
    "image": builders.push_image,
    "docker image": lambda to, tag: builders.push_image(to, tag, flavour=DOCKER),
    "index": builders.push_index,
    "docker list": lambda to, tag: builders.push_index(to, tag, flavour=DOCKER),
    "nested index": builders.push_nested_index,
    "artifact": builders.push_artifact,
    "chart": builders.push_chart,
    "empty layer": builders.push_image_with_empty_layer,
}


@pytest.mark.parametrize("kind", KINDS)
def test_skopeo_reads_back_all_that_was_pushed(kind, server, repository_path):
    with PlainRepository(server.address, repository_path) as repository:
        pushed = KINDS[kind](repository, "v1")

        assert repository.digest("v1") == pushed.digest
        assert skopeo.read_back(server.address, repository_path, "v1") == contents(repository, "v1")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_call_gives_the_same_digest_elsewhere(
    kind, distribution2, crane_registry, repository_path
):
    with (
        PlainRepository(distribution2.address, repository_path) as here,
        PlainRepository(crane_registry.address, repository_path) as there,
    ):
        assert KINDS[kind](here, "v1") == KINDS[kind](there, "v1")


@pytest.mark.parametrize("kind", ["htpasswd_registry", "token_registry", "tls_registry"])
def test_guarded_registries_are_filled_and_read_back_too(kind, repository_path, request):
    server = request.getfixturevalue(kind)
    with PlainRepository(server.address, repository_path) as repository:
        builders.push_index(repository, "v1")

        assert skopeo.read_back(server.address, repository_path, "v1") == contents(repository, "v1")


def test_skopeo_is_refused_where_the_certificate_is_not_trusted(
    tls_registry, repository_path, tmp_path
):
    with PlainRepository(tls_registry.address, repository_path) as repository:
        builders.push_image(repository, "v1")
    stranger = replace(tls_registry.address, ca_file=Authority(tmp_path).certificate)

    with pytest.raises(skopeo.Refused, match="certificate"):
        skopeo.inspect_raw(stranger, repository_path, "v1")


def test_the_children_of_an_index_share_a_layer(distribution3, repository_path):
    with PlainRepository(distribution3.address, repository_path) as repository:
        builders.push_index(repository, "v1", platforms=["linux/amd64", "linux/arm/v7"])
        index = json.loads(repository.manifest("v1"))
        first, second = (
            json.loads(repository.manifest(child["digest"])) for child in index["manifests"]
        )

    assert index["manifests"][1]["platform"] == {
        "os": "linux",
        "architecture": "arm",
        "variant": "v7",
    }
    assert first["layers"][0] == second["layers"][0]
    assert first["layers"][1] != second["layers"][1]


def test_referrers_are_found_under_the_fallback_tag(distribution3, repository_path):
    with PlainRepository(distribution3.address, repository_path) as repository:
        image = builders.push_image(repository, "v1")
        report = builders.push_artifact(repository, seed="report", subject=image)
        bill = builders.push_artifact(repository, seed="bill", subject=image)

        listed = repository.referrers(image.digest)
        assert [one["digest"] for one in listed] == [report.digest, bill.digest]
        assert {one["artifactType"] for one in listed} == {"application/vnd.example.report"}
        assert fallback_tag(image.digest) in repository.tags()


def test_a_signature_stands_beside_its_subject(distribution3, repository_path):
    with PlainRepository(distribution3.address, repository_path) as repository:
        image = builders.push_image(repository, "v1")
        builders.push_signature(repository, image)

        assert f"{fallback_tag(image.digest)}.sig" in repository.tags()


def test_many_tags_name_images_of_their_own(distribution3, repository_path):
    tags = [f"v{number}" for number in range(40)]
    with PlainRepository(distribution3.address, repository_path) as repository:
        pushed = builders.push_many_tags(repository, tags)

        assert sorted(repository.tags()) == sorted(tags)
        assert len({image.digest for image in pushed.values()}) == 40
        assert repository.digest("v7") == pushed["v7"].digest


def test_a_large_layer_has_the_size_that_was_asked_for(server, repository_path):
    with PlainRepository(server.address, repository_path) as repository:
        builders.push_large_image(repository, "v1", size=20 << 20)
        (layer,) = json.loads(repository.manifest("v1"))["layers"]

        assert layer["size"] > 20 << 20
        assert contents(repository, "v1") >= {layer["digest"]}
