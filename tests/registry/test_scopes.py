from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.registry.scopes import (
    MOST_CHARACTERS,
    Scope,
    add_scopes,
    merge_scopes,
    parse_scopes,
)

SCOPES = st.builds(
    Scope,
    st.sampled_from(["repository", "registry", "repository(plugin)"]),
    st.sampled_from(["a/b", "c", "host:5000/d"]),
    st.lists(st.sampled_from(["pull", "push", "delete", "*"]), min_size=1, max_size=3).map(tuple),
)


@given(st.text())
def test_a_scope_is_printed_as_it_was_read(text):
    assert str(Scope.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repository:a/b:pull,push", Scope("repository", "a/b", ("pull", "push"))),
        ("registry:catalog:*", Scope("registry", "catalog", ("*",))),
        ("repository:host:5000/a:pull", Scope("repository", "host:5000/a", ("pull",))),
        (
            "artifact-repository:a:metadata_read",
            Scope("artifact-repository", "a", ("metadata_read",)),
        ),
        ("*", Scope("*")),
        ("a:b", Scope("a:b")),
        ("", Scope("")),
    ],
)
def test_a_scope_is_read(text, expected):
    assert Scope.parse(text) == expected


def test_the_scopes_of_a_challenge_stand_there_with_spaces_between_them():
    text = "repository:p/x:pull,push repository:q/y:pull"

    assert parse_scopes(text) == (
        Scope("repository", "p/x", ("pull", "push")),
        Scope("repository", "q/y", ("pull",)),
    )


@given(st.lists(SCOPES))
def test_merging_keeps_every_right_and_adds_none(scopes):
    def rights(of):
        return {(scope.type, scope.name, action) for scope in of for action in scope.actions}

    assert rights(merge_scopes(scopes)) == rights(scopes)


@given(st.lists(SCOPES))
def test_merged_scopes_have_one_for_each_resource_and_those_that_push_come_first(scopes):
    merged = merge_scopes(scopes)

    assert len({(scope.type, scope.name) for scope in merged}) == len(merged)
    writes = [scope.writes for scope in merged]
    assert writes == sorted(writes, reverse=True)


@given(st.lists(SCOPES))
def test_merging_twice_changes_nothing(scopes):
    assert merge_scopes(merge_scopes(scopes)) == merge_scopes(scopes)


@given(st.lists(SCOPES, max_size=5), st.lists(SCOPES, max_size=5))
def test_what_a_challenge_names_is_added(scopes, named):
    assert add_scopes(scopes, named) == merge_scopes([*scopes, *named])


def test_what_a_challenge_names_without_end_is_not():
    scopes = (Scope("repository", "a/b", ("pull",)),)

    for number in range(1000):
        scopes = add_scopes(scopes, [Scope("repository", f"evil/{number}", ("pull",))])

    assert sum(len(str(scope)) for scope in scopes) <= MOST_CHARACTERS
