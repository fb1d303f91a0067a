"""Globs and regular expressions."""

from __future__ import annotations

import fnmatch
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ConfigError
from replicator.planning.patterns import Glob, Regex


def tags(text: str) -> Glob:
    return Glob.of_tags(text, where="tags.include")


def repositories(text: str) -> Glob:
    return Glob.of_repositories(text, where="source")


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("3.18", ["3.18"], ["3.180", "13.18", "3x18", ""]),
        ("3.*", ["3.", "3.18", "3.18-rc1"], ["3", "13.1"]),
        ("*-slim", ["-slim", "3.12-slim"], ["3.12-slim-bookworm", "slim"]),
        ("*", ["a", "v1.2", ""], []),
        ("v1.?", ["v1.2", "v1.x"], ["v1.", "v1.10"]),
        ("1.[0-2]", ["1.0", "1.1", "1.2"], ["1.3", "1."]),
        ("1.[!0-2]", ["1.3", "1.a"], ["1.0", "1.2"]),
        ("[ac-d]x", ["ax", "cx", "dx"], ["bx", "-x"]),
        ("v{version}", ["v1", "v1.2-rc"], ["v", "1.2"]),
    ],
)
def test_a_glob_matches_whole_tags(glob, matching, other):
    assert [name for name in matching if tags(glob).match(name) is None] == []
    assert [name for name in other if tags(glob).match(name) is not None] == []


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("library/*", ["library/alpine"], ["library/a/b", "library", "other/alpine"]),
        ("team/**", ["team/a", "team/a/b/c"], ["team", "steam/a"]),
        ("**/app", ["team/app", "a/b/app"], ["app", "team/apps"]),
        ("team/*/app", ["team/a/app"], ["team/a/b/app"]),
        ("{team}/app-*", ["red/app-1"], ["red/blue/app-1", "/app-1"]),
    ],
)
def test_one_star_stays_within_a_part_of_a_path_and_two_do_not(glob, matching, other):
    assert [name for name in matching if repositories(glob).match(name) is None] == []
    assert [name for name in other if repositories(glob).match(name) is not None] == []


def test_braces_name_what_they_match():
    assert tags("v{version}-{build}").match("v1.2-77") == {"version": "1.2", "build": "77"}


def test_a_name_without_wildcards_is_known_as_such():
    assert tags("3.18").literal == "3.18"
    assert tags("3.1[8]").literal == "3.18"
    assert tags("3.*").literal is None


@pytest.mark.parametrize(
    ("glob", "message"),
    [
        ("", 'an empty pattern matches no tag; write "*" for all'),
        ("a b", "no tag contains ' '"),
        ("a/b", "no tag contains '/'"),
        ("3.18[", 'the "[" has no "]"'),
        ("[/]", "matches no character that a name has"),
        ("v{version", 'the "{" has no "}"'),
        ("{a,b}", "write one pattern for each choice"),
        ("{}", "is no name"),
        ("{Version}", "is no name"),
        ("{tag}", "already has a meaning"),
        ("{a}-{a}", "a name is used twice"),
        ("x" * 1001, "the limit is 1000"),
    ],
)
def test_a_bad_glob_is_refused_with_its_place(glob, message):
    with pytest.raises(ConfigError) as refusal:
        tags(glob)

    assert str(refusal.value).startswith("tags.include: ")
    assert message in str(refusal.value)


def test_an_upper_case_repository_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="repository names are lower case"):
        repositories("Team/*")


@pytest.mark.parametrize(
    ("regex", "matching", "other"),
    [
        (r"3\.\d+", ["3.18"], ["3.18.1", "x3.18"]),
        (r"^v(\d+)$", ["v1"], ["v1.0"]),
        (r"a|b", ["a", "b"], ["ab", "ba"]),
    ],
)
def test_a_regular_expression_matches_whole_tags(regex, matching, other):
    pattern = Regex.of_tags(regex, where="tags.regex")

    assert [name for name in matching if pattern.match(name) is None] == []
    assert [name for name in other if pattern.match(name) is not None] == []


def test_groups_with_names_are_captured():
    pattern = Regex.of_tags(r"v(?P<version>\d+)(?:-(?P<build>\d+))?", where="tags.regex")

    assert pattern.match("v1-2") == {"version": "1", "build": "2"}
    assert pattern.match("v1") == {"version": "1"}


@pytest.mark.parametrize(
    ("regex", "message"),
    [
        ("(", "missing )"),
        ("(?=v)1", "look-around and back references are not supported"),
        (r"(a)\1", "look-around and back references are not supported"),
        ("a{1001}", "invalid repetition size"),
        ("(?P<name>a)", "already has a meaning"),
        ("a" * 1001, "the limit is 1000"),
    ],
)
def test_a_bad_regular_expression_is_refused_with_its_place(regex, message):
    with pytest.raises(ConfigError) as refusal:
        Regex.of_tags(regex, where="tags.regex")

    assert str(refusal.value).startswith("tags.regex: ")
    assert message in str(refusal.value)


def test_an_expression_that_others_take_years_for_is_matched_at_once():
    pattern = Regex.of_tags("(a*)*(a*)*(a*)*b", where="tags.regex")

    assert pattern.match("a" * 128) is None


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", max_size=8))
def test_stars_and_question_marks_mean_what_they_mean_in_a_shell(glob, name):
    assert (tags(glob).match(name) is not None) == fnmatch.fnmatchcase(name, glob)


@given(st.text(max_size=30))
def test_no_text_breaks_the_parsers(text):
    for parse in (Glob.of_tags, Glob.of_repositories, Regex.of_tags):
        with suppress(ConfigError):
            parse(text, where="here").match("v1.2")
