"""Which repositories a rule reads."""

from __future__ import annotations

import pytest

from replicator.errors import ConfigError
from replicator.oci.reference import RepositoryName
from replicator.planning.rule import RepositorySelection
from replicator.planning.source import Source


def source(text: str, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Source:
    return Source.parse(text, RepositorySelection(include, exclude), where="")


def matches(pattern: Source, name: str) -> bool:
    return pattern.match(RepositoryName.parse(name)) is not None


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("docker.io/library/alpine", "docker.io/library/alpine"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine"),
        ("localhost:5000/team/app", "localhost:5000/team/app"),
        ("oci:/srv/images", "oci:/srv/images"),
    ],
)
def test_a_literal_source_is_one_repository(text, repository):
    name = RepositoryName.parse(repository)

    assert source(text).repositories == (name,)
    assert source(text).match(name) == {}


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (
            "docker.io/library/*",
            ["alpine", "docker.io/library/python"],
            ["docker.io/bitnami/redis", "quay.io/library/alpine"],
        ),
        ("library/*", ["alpine"], ["bitnami/redis"]),
        ("docker.io/alpine*", ["alpine", "alpine-extra"], ["docker.io/team/alpine"]),
        (
            "registry.example.com/team/**",
            ["registry.example.com/team/a", "registry.example.com/team/a/b"],
            ["registry.example.com/teams/a", "registry.example.com/team"],
        ),
        ("localhost:5000/**", ["localhost:5000/a", "localhost:5000/a/b"], ["localhost:5001/a"]),
        ("Registry.Example.com/a/*", ["registry.example.com/a/b"], []),
    ],
)
def test_a_pattern_is_about_these_repositories(text, inside, outside):
    pattern = source(text)

    assert pattern.repositories is None
    assert [name for name in inside if not matches(pattern, name)] == []
    assert [name for name in outside if matches(pattern, name)] == []


def test_include_and_exclude_are_about_what_follows_the_fixed_part():
    pattern = source("registry.example.com/team/**", include=("a/*", "b"), exclude=("a/secret*",))

    assert matches(pattern, "registry.example.com/team/a/app")
    assert matches(pattern, "registry.example.com/team/b")
    assert not matches(pattern, "registry.example.com/team/c")
    assert not matches(pattern, "registry.example.com/team/a/secret-app")


def test_a_list_of_names_needs_no_discovery():
    pattern = source("docker.io/library/*", include=("alpine", "debian", "team/app"))

    assert pattern.repositories == (
        RepositoryName("docker.io", "library/alpine"),
        RepositoryName("docker.io", "library/debian"),
    )


def test_a_pattern_captures_parts_of_the_path():
    pattern = source("registry.example.com/{team}/*", include=("app-{kind}",))

    found = pattern.match(RepositoryName("registry.example.com", "red/app-web"))

    assert found is None  # The fixed part is empty here, so include is about the whole path.
    pattern = source("registry.example.com/{team}/*", include=("red/app-{kind}",))
    found = pattern.match(RepositoryName("registry.example.com", "red/app-web"))
    assert found == {"team": "red", "kind": "web"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("docker.io/library/alpine:3.18", "select with tags"),
        ("https://quay.io/team/app", "has a scheme"),
        ("*.example.com/team/app", "host cannot be a pattern"),
        ("docker.io/**", "name a namespace"),
        ("docker.io/*/app", "name a namespace"),
        ("oci:/srv/*", "has no wildcards"),
        ("quay.io/Team/*", "repository names are lower case"),
        ("-bad.io/*", "is not a registry host"),
    ],
)
def test_a_bad_source_is_refused_with_the_fix(text, message):
    with pytest.raises(ConfigError) as refusal:
        source(text)

    assert "source: " in str(refusal.value)
    assert message in str(refusal.value)


def test_a_list_beside_a_literal_source_is_refused():
    with pytest.raises(ConfigError, match="is one repository"):
        source("docker.io/library/alpine", include=("alpine",))
