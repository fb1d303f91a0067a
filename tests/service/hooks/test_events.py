"""Notices of every kind of registry, in the forms that they send them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import InvalidValue
from replicator.oci.reference import RepositoryName
from replicator.service.hooks.events import repositories_of

OCI = "application/vnd.oci.image.manifest.v1+json"
DIGEST = "sha256:" + "0" * 64
HARBOR_REPOSITORY = {"name": "a/b", "namespace": "p1", "repo_full_name": "p1/a/b"}


def push(repository: str, media_type: str = OCI, action: str = "push") -> dict:
    return {"action": action, "target": {"repository": repository, "mediaType": media_type}}


def github(**package) -> dict:
    version = {"container_metadata": {"tag": {"name": "1.0", "digest": DIGEST}}}
    return {
        "action": "published",
        "package": {
            "name": "app",
            "namespace": "Acme",
            "owner": {"login": "Acme"},
            "package_type": "CONTAINER",
            "package_version": version,
            **package,
        },
    }


NOTICES = {
    "distribution": (
        {},
        {
            "events": [
                push("team/app"),
                push("team/app", "application/octet-stream"),
                push("team/other", f"{OCI}; charset=utf-8"),
                push("team/read", action="pull"),
                push("team/gone", action="delete"),
            ]
        },
        {"team/app", "team/other"},
    ),
    "harbor": (
        {},
        {
            "type": "PUSH_ARTIFACT",
            "event_data": {
                "resources": [{"digest": DIGEST, "tag": "1"}],
                "repository": HARBOR_REPOSITORY,
            },
        },
        {"p1/a/b"},
    ),
    "harbor, as a cloud event": (
        {},
        {
            "specversion": "1.0",
            "type": "harbor.artifact.pushed",
            "data": {"resources": [], "repository": HARBOR_REPOSITORY},
        },
        {"p1/a/b"},
    ),
    "zot, all in the body": (
        {},
        {"specversion": "1.0", "type": "zotregistry.image.updated", "data": {"name": "a/b"}},
        {"a/b"},
    ),
    "zot, with attributes in headers": (
        {"ce-type": "zotregistry.image.updated"},
        {"name": "a/b", "reference": "1"},
        {"a/b"},
    ),
    "docker hub": (
        {},
        {
            "callback_url": "https://registry.hub.docker.com/u/acme/app/hook/1/",
            "push_data": {"pusher": "me", "tag": "1.0"},
            "repository": {"repo_name": "acme/app", "namespace": "acme", "name": "app"},
        },
        {"acme/app"},
    ),
    "aliyun": (
        {},
        {
            "push_data": {"digest": DIGEST, "tag": "1.0"},
            "repository": {"repo_full_name": "acme/app", "region": "cn-hangzhou"},
        },
        {"acme/app"},
    ),
    "quay": (
        {},
        {
            "repository": "org1/w",
            "namespace": "org1",
            "docker_url": "quay.io/org1/w",
            "updated_tags": ["a2"],
        },
        {"org1/w"},
    ),
    "github": ({"x-github-event": "package"}, github(), {"acme/app"}),
    "github, from an app": (
        {"x-github-event": "registry_package"},
        {"registry_package": github()["package"]},
        {"acme/app"},
    ),
    "gitea": (
        {"x-gitea-event": "package"},
        {
            "action": "created",
            "package": {"type": "container", "name": "app", "owner": {"login": "Acme"}},
        },
        {"acme/app"},
    ),
    "azure": (
        {},
        {
            "action": "push",
            "target": {"repository": "team/app", "tag": "1", "mediaType": OCI},
            "request": {"host": "acme.azurecr.io"},
        },
        {"team/app"},
    ),
    "msr": (
        {},
        {"type": "TAG_PUSH", "contents": {"namespace": "foo", "repository": "bar", "tag": "1"}},
        {"foo/bar"},
    ),
    "nexus": (
        {},
        {
            "repositoryName": "docker-hosted",
            "action": "UPDATED",
            "component": {"format": "docker", "name": "team/app", "version": "1"},
        },
        {"team/app"},
    ),
}
# Known, and about nothing that was pushed under a tag.
IRRELEVANT = {
    "a ping of github": ({"x-github-event": "ping"}, {"zen": "Keep it simple."}),
    "a package of github that is no image": (
        {"x-github-event": "package"},
        github(package_type="npm"),
    ),
    "a child of an index on github": (
        {"x-github-event": "package"},
        github(package_version={"container_metadata": {"tag": {"name": ""}}}),
    ),
    "a ping of azure": ({}, {"action": "ping", "id": "1"}),
    "a deletion on azure": ({}, {"action": "delete", "target": {"repository": "a"}}),
    "a deletion on harbor": (
        {},
        {"type": "DELETE_ARTIFACT", "event_data": {"repository": HARBOR_REPOSITORY}},
    ),
    "a deletion on zot": (
        {},
        {"specversion": "1.0", "type": "zotregistry.image.deleted", "data": {"name": "a"}},
    ),
    "blobs of distribution": ({}, {"events": [push("a", "application/octet-stream")]}),
    "a quay event without tags": ({}, {"docker_url": "quay.io/a/b", "repository": "a/b"}),
    "a deletion on nexus": ({}, {"action": "PURGED", "components": ["1"]}),
    "a path that is none": ({}, {"events": [push("../../etc/passwd"), push("")]}),
}


def read(headers: dict, notice: object) -> set[RepositoryName]:
    return repositories_of("registry.example.com", headers, json.dumps(notice).encode())


@pytest.mark.parametrize("kind", NOTICES)
def test_a_notice_names_the_repositories_that_something_was_pushed_to(kind):
    headers, notice, paths = NOTICES[kind]

    found = read(headers, notice)

    assert found == {RepositoryName("registry.example.com", path) for path in paths}


@pytest.mark.parametrize("kind", IRRELEVANT)
def test_other_notices_of_known_registries_are_about_nothing(kind):
    assert read(*IRRELEVANT[kind]) == set()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"null", b"{", b"\xff", b'{"hello": 1}', b"[" * 100_000]
)
def test_what_is_no_notice_is_refused(body):
    with pytest.raises(InvalidValue):
        repositories_of("registry.example.com", {}, body)


# fmt: off
KEYS = [
    "events", "action", "target", "mediaType", "repository", "event_data", "push_data",
    "docker_url", "package", "owner", "specversion", "type", "data", "contents", "component",
    "updated_tags",
]
# fmt: on
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS) | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["x-github-event", "ce-type"]), st.text()), ANYTHING)
def test_nothing_that_is_sent_breaks_the_reader(headers, notice):
    try:
        found = read(headers, notice)
    except InvalidValue:
        return
    assert all(name.registry == "registry.example.com" for name in found)
