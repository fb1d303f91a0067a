"""References are read by Docker's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import InvalidDigest, InvalidReference
from replicator.oci.digest import Digest
from replicator.oci.reference import Reference, RepositoryName, Tag

SHA = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("ubuntu", "docker.io/library/ubuntu"),
        ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
        ("acme/app", "docker.io/acme/app"),
        ("docker.io/ubuntu", "docker.io/library/ubuntu"),
        ("index.docker.io/acme/app:1", "docker.io/acme/app:1"),
        ("registry-1.docker.io/library/ubuntu", "docker.io/library/ubuntu"),
        ("example.com/app", "example.com/app"),
        ("example.com", "docker.io/library/example.com"),
        ("localhost/app", "localhost/app"),
        ("localhost:5000/app", "localhost:5000/app"),
        ("app:5000/x", "app:5000/x"),
        ("Example.COM/app", "example.com/app"),
        ("HOST/app", "host/app"),
        ("[::1]:5000/a/b:v1", "[::1]:5000/a/b:v1"),
        ("[2001:DB8::1]/app", "[2001:db8::1]/app"),
        ("example.com/a__b/c--d/e.f_g", "example.com/a__b/c--d/e.f_g"),
        (f"ubuntu@{SHA}", f"docker.io/library/ubuntu@{SHA}"),
        (f"example.com/app:v1@{SHA}", f"example.com/app:v1@{SHA}"),
        ("oci:/srv/images", "oci:/srv/images"),
        ("oci:images/alpine:3.20", "oci:images/alpine:3.20"),
        ("oci:./images", "oci:images"),
        (f"oci:/srv/images@{SHA}", f"oci:/srv/images@{SHA}"),
    ],
)
def test_a_reference_is_completed_as_docker_does(text, whole):
    assert str(Reference.parse(text)) == whole


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a reference"),
        (" ubuntu", "not a reference"),
        ("ubuntu:", "not a tag"),
        ("ubuntu:-x", "not a tag"),
        ("ubuntu:a b", "not a tag"),
        ("ubuntu:" + "x" * 129, "not a tag"),
        ("Ubuntu", "repository names are lower case"),
        ("example.com/App", "repository names are lower case"),
        ("https://example.com/app", "without https://"),
        ("example.com/", "not a repository name"),
        ("example.com//app", "not a repository name"),
        ("example.com/_app", "not a repository name"),
        ("example.com/a..b", "not a repository name"),
        ("example.com/a/../b", "not a repository name"),
        ("example.com:99999999/app", "not a registry host"),
        ("-x.com/app", "not a registry host"),
        ("exa mple.com/app", "not a registry host"),
        ("user@example.com/app", "not of the form"),
        ("example.com/" + "a" * 250, "longer than 255"),
        ("0" * 64, "image id"),
        ("oci:", "needs a path"),
        ("oci::v1", "needs a path"),
    ],
)
def test_what_docker_would_not_read_is_refused(text, complaint):
    with pytest.raises((InvalidReference, InvalidDigest), match=complaint):
        Reference.parse(text)


def test_no_tag_given_is_not_the_same_as_latest():
    assert Reference.parse("ubuntu").tag is None
    assert Reference.parse("ubuntu").manifest == Tag("latest")


def test_a_digest_decides_what_is_read_and_the_tag_is_a_label():
    assert Reference.parse(f"ubuntu:v1@{SHA}").manifest == Digest.parse(SHA)


def test_a_repository_alone_may_not_name_a_tag():
    with pytest.raises(InvalidReference, match="only a repository"):
        RepositoryName.parse("ubuntu:latest")


components = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8})?", fullmatch=True)
paths = st.lists(components, min_size=1, max_size=4).map("/".join)
hosts = st.sampled_from(["example.com", "localhost:5000", "[::1]:80", "127.0.0.1:1", "quay.io"])
tags = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True).map(Tag)
digests = st.none() | st.binary(max_size=4).map(Digest.of)


@given(host=hosts, path=paths, tag=tags, digest=digests)
def test_parsing_is_the_inverse_of_printing(host, path, tag, digest):
    reference = Reference(RepositoryName(host, path), tag, digest)

    assert Reference.parse(str(reference)) == reference


@given(st.text(max_size=400))
def test_no_text_raises_anything_but_our_errors(text):
    try:
        reference = Reference.parse(text)
    except (InvalidReference, InvalidDigest):
        return
    assert Reference.parse(str(reference)) == reference
