"""Where repositories and tags go."""

from __future__ import annotations

import pytest

from replicator.errors import ConfigError, InvalidReference
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.mapping import Template
from replicator.planning.observation import SourceTag
from replicator.planning.prepared import prepare
from replicator.planning.rule import Rule, TagSelection

ALPINE = RepositoryName("docker.io", "library/alpine")


def template(text: str, *more: str) -> Template:
    names = frozenset({"registry", "repository", "name", *more})
    return Template.parse(
        text, where="destinations", repository_names=names, tag_names=names | {"tag"}
    )


@pytest.mark.parametrize(
    ("text", "source", "expected"),
    [
        (
            "registry.example.com/hub/{repository}",
            ALPINE,
            "registry.example.com/hub/library/alpine",
        ),
        ("quay.io/acme/{name}", ALPINE, "quay.io/acme/alpine"),
        (
            "localhost:5000/{registry}/{repository}",
            ALPINE,
            "localhost:5000/docker.io/library/alpine",
        ),
        (
            "quay.io/{registry}/{name}",
            RepositoryName("localhost:5000", "app"),
            "quay.io/localhost-5000/app",
        ),
        (
            "quay.io/{registry}/{name}",
            RepositoryName("[::1]:5000", "app"),
            "quay.io/1-5000/app",
        ),
        ("acme/{name}", ALPINE, "docker.io/acme/alpine"),
        ("docker.io/{name}", ALPINE, "docker.io/library/alpine"),
        ("registry.example.com/fixed", ALPINE, "registry.example.com/fixed"),
        ("oci:/srv/{name}", ALPINE, "oci:/srv/alpine"),
        ("quay.io/acme/{name}", RepositoryName("oci:", "/srv/app"), "quay.io/acme/app"),
    ],
)
def test_a_repository_goes_there(text, source, expected):
    assert template(text).repository(source, {}) == RepositoryName.parse(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quay.io/acme/{name}", "3.20"),
        ("quay.io/acme/{name}:{tag}", "3.20"),
        ("quay.io/acme/{name}:{tag}-mirror", "3.20-mirror"),
        ("quay.io/acme/all:{name}-{tag}", "alpine-3.20"),
        ("localhost:5000/acme/all:v{tag}", "v3.20"),
        ("oci:/srv/images:{name}-{tag}", "alpine-3.20"),
    ],
)
def test_a_tag_becomes_that_tag(text, expected):
    assert template(text).destination_tag(ALPINE, Tag("3.20"), {}) == expected


def test_captures_of_a_tag_rewrite_it():
    rule = Rule(
        "strip",
        "quay.io/team/app",
        ("registry.example.com/app:{version}",),
        tags=TagSelection(include=("v{version}",)),
    )
    prepared = prepare(rule)
    tag = SourceTag(Tag("v1.2"), None)
    (route,) = prepared.routes(RepositoryName("quay.io", "team/app"))

    wanted = route.wanted(tag, {"version": "1.2"})

    assert wanted.tag == "1.2"
    assert wanted.destination == RepositoryName("registry.example.com", "app")


def test_captures_of_the_path_choose_the_destination():
    rule = Rule("teams", "quay.io/{team}/*", ("registry.example.com/{team}-mirror/{name}",))

    (route,) = prepare(rule).routes(RepositoryName("quay.io", "red/app"))

    assert route.destination == RepositoryName("registry.example.com", "red-mirror/app")


def test_a_mapping_that_yields_no_tag_is_an_error_of_that_tag():
    long = Tag("x" * 120)

    with pytest.raises(InvalidReference):
        template("quay.io/acme/all:{tag}-with-a-suffix").destination_tag(ALPINE, long, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://quay.io/{name}", "has a scheme"),
        ("quay.io/acme/{name}@sha256:abc", "names a digest"),
        ("{registry}/acme/{name}", "write the host of a registry first"),
        ("quay.io/acme/{repo}", "did you mean {repository}?"),
        ("quay.io/acme/{xyz}", "known are {name}, {registry}, {repository}"),
        ("quay.io/{tag}/{name}", "may stand after a colon"),
        ("quay.io/acme/{name", "the braces do not match"),
        ("quay.io/acme/name}", "the braces do not match"),
        ("quay.io/Acme/{name}", "repository names are lower case"),
        ("quay.io/acme/{name}:-{tag}", "is not a tag"),
        ("quay.io/", "is not a repository name"),
        ("", "is not a repository name"),
        ("oci:", "needs a path"),
    ],
)
def test_a_bad_template_is_refused_with_the_fix(text, message):
    with pytest.raises(ConfigError) as refusal:
        template(text)

    assert str(refusal.value).startswith("destinations: ")
    assert message in str(refusal.value)
