"""From a destination back to its sources: whatever a rule maps is found again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.inverse import (
    becomes,
    guessed_sources,
    guessed_tag,
    may_lead_to,
    routes_to,
)
from replicator.planning.prepared import prepare
from replicator.planning.rule import RepositorySelection, Rule

PARTS = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}", fullmatch=True).map(Tag)


def rule_to(destination, source="from.example/team/*", **more):
    return prepare(Rule("r", source, (destination,), **more))


@pytest.mark.parametrize(
    "template",
    ["to.example/{repository}", "to.example/x/{name}", "to.example/{registry}/{name}/y"],
)
@given(name=PARTS)
def test_the_repository_is_found_by_names_alone(template, name):
    rule = rule_to(template)
    source = RepositoryName("from.example", f"team/{name}")
    (route,) = rule.routes(source)

    assert guessed_sources(rule, route.destination) == (source,)


@given(name=PARTS, tag=TAGS)
def test_the_tag_is_found_between_what_was_put_around_it(name, tag):
    rule = rule_to("to.example/all:{name}-{tag}.x")
    source = RepositoryName("from.example", f"team/{name}")
    (route,) = routes_to(rule, source, RepositoryName("to.example", "all"))

    assert guessed_tag(route, Tag(f"{name}-{tag}.x")) == tag
    assert list(becomes(rule, route, [tag], Tag(f"{name}-{tag}.x"))) == [tag]


def test_named_repositories_are_tried_each():
    rule = rule_to("to.example/one", repositories=RepositorySelection(("app", "web")))

    assert guessed_sources(rule, RepositoryName("to.example", "one")) == (
        RepositoryName("from.example", "team/app"),
        RepositoryName("from.example", "team/web"),
    )


def test_what_only_a_listing_tells_is_not_guessed():
    rule = rule_to("to.example/{kind}", "from.example/team/{kind}-*")
    destination = RepositoryName("to.example", "web")

    assert may_lead_to(rule, destination)
    assert guessed_sources(rule, destination) == ()


def test_other_registries_and_other_paths_lead_nowhere():
    rule = rule_to("to.example/x/{name}")

    assert not may_lead_to(rule, RepositoryName("other.example", "x/app"))
    assert not may_lead_to(rule, RepositoryName("to.example", "y/app"))
    assert guessed_sources(rule, RepositoryName("to.example", "y/app")) == ()
