"""What is known of each kind of registry."""

from __future__ import annotations

import pytest

from replicator.errors import ConfigError
from replicator.registry.knowledge import SMALLEST_CHUNK, Knowledge, Way
from replicator.registry.profile import (
    Profile,
    Shape,
    all_profiles,
    profile_by_challenge,
    profile_for,
)
from replicator.registry.settings import RegistrySettings

KINDS = {
    "generic", "distribution", "dockerhub", "quay", "google", "harbor", "ecr", "acr", "ghcr",
    "gitlab", "artifactory", "nexus", "msr", "aliyun", "zot", "gitea",
}  # fmt: skip


def test_there_is_a_profile_for_every_kind():
    assert set(all_profiles()) == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_can_be_set(kind):
    assert profile_for("registry.example.com", kind).kind == kind


def test_an_unknown_kind_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match="harbor"):
        profile_for("registry.example.com", "habor")


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("docker.io", "dockerhub"),
        ("quay.io", "quay"),
        ("gcr.io", "google"),
        ("eu.gcr.io", "google"),
        ("europe-west1-docker.pkg.dev", "google"),
        ("registry.k8s.io", "google"),
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com", "ecr"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"),
        ("public.ecr.aws", "ecr"),
        ("acme.azurecr.io", "acr"),
        ("ghcr.io", "ghcr"),
        ("registry.gitlab.com", "gitlab"),
        ("acme.jfrog.io", "artifactory"),
        ("registry.cn-hangzhou.aliyuncs.com", "aliyun"),
        ("registry-vpc.cn-hangzhou.aliyuncs.com", "aliyun"),
        ("acme-registry.cn-shanghai.cr.aliyuncs.com", "aliyun"),
        ("registry.example.com", "generic"),
        ("127.0.0.1:5000", "generic"),
        ("docker.io.example.com", "generic"),
    ],
)
def test_the_kind_is_guessed_from_the_host(host, kind):
    assert profile_for(host).kind == kind


@pytest.mark.parametrize(
    ("challenge", "kind"),
    [
        ('Bearer realm="https://h/service/token",service="harbor-registry"', "harbor"),
        ('Bearer realm="https://h/v2/auth",service="h"', "quay"),
        ('Bearer realm="https://h/v2/token",service="container_registry",scope="*"', "gitea"),
        ('Bearer realm="https://gitlab.h/jwt/auth",service="container_registry"', "gitlab"),
        ('Basic realm="Artifactory Realm"', "artifactory"),
        ('BASIC realm="Sonatype Nexus Repository Manager"', "nexus"),
    ],
)
def test_the_kind_is_recognised_by_its_challenge(challenge, kind):
    profile = profile_by_challenge(challenge)

    assert profile is not None
    assert profile.kind == kind


@pytest.mark.parametrize("challenge", ["", 'Basic realm="registry"', 'Bearer realm="https://a/t"'])
def test_most_challenges_tell_nothing(challenge):
    assert profile_by_challenge(challenge) is None


def test_a_challenge_does_not_overrule_what_is_known():
    knowledge = Knowledge(profile_for("docker.io"))

    knowledge.recognise('Bearer realm="https://h/service/token",service="harbor-registry"')

    assert knowledge.profile.kind == "dockerhub"


def test_a_recognised_kind_brings_its_ways():
    knowledge = Knowledge(profile_for("registry.example.com"))

    knowledge.recognise('Basic realm="Sonatype Nexus Repository Manager"')

    assert knowledge.profile.kind == "nexus"
    assert knowledge.way == Way(Shape.PATCH)


def test_a_kind_that_was_set_is_not_recognised_away():
    settings = RegistrySettings("registry.example.com", kind="distribution")
    knowledge = Knowledge(profile_for(settings.name, settings.kind))

    knowledge.recognise('Bearer realm="https://h/service/token",service="harbor-registry"')

    assert knowledge.profile.kind == "distribution"


def test_a_body_that_is_too_large_goes_in_parts_and_then_in_small_ones():
    knowledge = Knowledge(Profile("x", chunk_size=5_000_000))
    size = 20_000_000

    assert knowledge.another_way(Way(Shape.PUT), too_large=size)
    assert knowledge.way == Way(Shape.CHUNKS, 5_000_000)
    assert knowledge.another_way(knowledge.way, too_large=5_000_000)
    assert knowledge.way == Way(Shape.CHUNKS, SMALLEST_CHUNK)
    assert not knowledge.another_way(knowledge.way, too_large=SMALLEST_CHUNK)


def test_parts_that_would_be_as_large_are_not_tried():
    knowledge = Knowledge(Profile("x"))

    assert knowledge.another_way(Way(Shape.PUT), too_large=2_000_000)
    assert knowledge.way == Way(Shape.CHUNKS, SMALLEST_CHUNK)


def test_who_takes_no_parts_is_not_sent_any():
    knowledge = Knowledge(Profile("x", takes_chunks=False))

    assert not knowledge.another_way(Way(Shape.PUT), too_large=20_000_000)
    assert knowledge.way == Way(Shape.PUT)


def test_put_and_patch_stand_in_for_each_other_once():
    knowledge = Knowledge(Profile("x"))

    assert knowledge.another_way(Way(Shape.PUT))
    assert knowledge.way == Way(Shape.PATCH)
    assert not knowledge.another_way(Way(Shape.PATCH))


def test_two_who_are_refused_at_once_change_the_way_once():
    knowledge = Knowledge(Profile("x"))

    assert knowledge.another_way(Way(Shape.PUT))
    assert knowledge.another_way(Way(Shape.PUT))

    assert knowledge.way == Way(Shape.PATCH)
