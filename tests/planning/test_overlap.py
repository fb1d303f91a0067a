"""Names that two patterns have in common."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.planning.overlap import common_names
from replicator.planning.patterns import Glob


def glob(text: str) -> Glob:
    return Glob.of_repositories(text, where="")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.*", "4.*"),
        ("*-slim", "*-alpine"),
        ("library/*", "library/a/b"),
        ("a", "b"),
        ("v[0-3]*", "v[4-9]*"),
        ("?", "??"),
    ],
)
def test_these_have_nothing_in_common(one, other):
    assert list(common_names(glob(one).steps, glob(other).steps)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.*", "*.18"),
        ("library/*", "**/alpine"),
        ("team/**", "*/app"),
        ("{name1}-x", "y-*"),
        ("*", "*"),
    ],
)
def test_these_have_something_in_common(one, other):
    names = list(common_names(glob(one).steps, glob(other).steps))

    assert names
    assert all(glob(one).match(name) is not None for name in names)
    assert all(glob(other).match(name) is not None for name in names)


globs = st.text("ab*?", min_size=1, max_size=5)
SHORT_NAMES = ["".join(letters) for size in range(1, 5) for letters in product("ab", repeat=size)]


@given(globs, globs)
def test_an_example_is_found_exactly_when_there_is_one(one, other):
    names = list(common_names(glob(one).steps, glob(other).steps))

    for name in names:
        assert glob(one).match(name) is not None
        assert glob(other).match(name) is not None
    shared = [
        name
        for name in SHORT_NAMES
        if glob(one).match(name) is not None and glob(other).match(name) is not None
    ]
    assert names or not shared
