"""Ranges of versions."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ConfigError
from replicator.planning.ranges import Range
from replicator.planning.versions import Version


def parse(text: str) -> Range:
    return Range.parse(text, where="tags.semver")


def contains(range_text: str, tag: str) -> bool:
    version = Version.parse(tag)
    assert version is not None
    return parse(range_text).contains(version)


@pytest.mark.parametrize(
    ("range_text", "inside", "outside"),
    [
        (">=3.18", ["3.18", "3.18.0", "3.18.12", "3.22", "4", "v3.20"], ["3.17.9", "3", "3.9"]),
        (">=1.2 <2", ["1.2", "1.2.0", "1.99.9"], ["1.1.9", "2", "2.0.0", "2.0.0-rc1"]),
        (">=1.2, <2", ["1.2"], ["2"]),
        (">= 1.2  < 2", ["1.2"], ["2"]),
        ("^1.2", ["1.2", "1.9.9"], ["1.1", "2.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.2.2", "0.3.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4", "0.0.2"]),
        ("^0", ["0.1", "0.9"], ["1.0"]),
        ("~1.4", ["1.4", "1.4.9"], ["1.5", "1.3"]),
        ("~1.4.2", ["1.4.2", "1.4.9"], ["1.4.1", "1.5.0"]),
        ("~1", ["1.0", "1.9"], ["2.0"]),
        ("1.x", ["1", "1.0", "1.9.9"], ["0.9", "2.0"]),
        ("1.2.*", ["1.2", "1.2.9"], ["1.3"]),
        ("1.2", ["1.2", "1.2.9"], ["1.3", "1.1"]),
        ("=1.2", ["1.2.9"], ["1.3"]),
        ("1.2.3", ["1.2.3", "v1.2.3", "1.2.3-4"], ["1.2.4", "1.2.3.1"]),
        (">1.2", ["1.3"], ["1.2", "1.2.9"]),
        ("<=1.2", ["1.2", "1.2.9"], ["1.3"]),
        (">1.2.3", ["1.2.4"], ["1.2.3", "1.2.3-4"]),
        ("1.x || 3.x", ["1.5", "3.5"], ["2.5", "4"]),
        ("*", ["0", "1.2", "20240329"], []),
        (">=2024.05", ["2024.05", "2024.12", "2025.01"], ["2024.04", "3.18"]),
        (">=20240101", ["20240329", "2025-01-01"], ["20231219", "3.18", "30000000.1"]),
        (">=1.2.0-rc.1", ["1.2.0-rc.1", "1.2.0-rc.2", "1.2.0"], ["1.2.0-beta.1"]),
        ("<2.0.0-rc.1", ["2.0.0-beta.1", "1.9"], ["2.0.0-rc.1", "2.0.0"]),
    ],
)
def test_a_range_contains_these_and_not_those(range_text, inside, outside):
    assert [tag for tag in inside if not contains(range_text, tag)] == []
    assert [tag for tag in outside if contains(range_text, tag)] == []


def test_a_dated_snapshot_is_in_no_range_of_numbers():
    assert not contains(">=3.18", "20240329")


def test_a_prerelease_belongs_to_the_version_it_precedes():
    assert contains(">=1.30", "v1.30.0-alpha.1")
    assert not contains("<1.30", "v1.30.0-alpha.1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (">=", 'cannot read ">="'),
        ("newest", '"newest" is not a version'),
        ("1.x || ", "a part is empty"),
        ("1.0 - 2.0", 'write ">=A <=B"'),
        ("!=1.2", "leave versions out with exclude"),
        (">=3.18-alpine", 'select variants with include = ["*-alpine"]'),
        (">=*", "compares with no number"),
        ("=>1.2", "cannot read"),
    ],
)
def test_a_bad_range_is_refused_with_its_place_and_a_hint(text, message):
    with pytest.raises(ConfigError) as refusal:
        parse(text)

    assert str(refusal.value).startswith("tags.semver: ")
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (">=2", "<2", False),
        (">=2", "<=2", True),
        (">1.2.3", "<1.2.4", True),
        ("1.x", "2.x", False),
        ("1.x || 3.x", "2.x || 3.1", True),
        ("*", ">=20240101", True),
        (">=1", ">=20240101", False),
        ("<1", "<0.1", True),
    ],
)
def test_ranges_overlap_when_some_version_is_in_both(one, other, overlap):
    assert parse(one).overlaps(parse(other)) is overlap
    assert parse(other).overlaps(parse(one)) is overlap


numbers = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(
    lambda parts: ".".join(map(str, parts))
)
terms = st.tuples(st.sampled_from(["", ">=", ">", "<", "<=", "=", "^", "~"]), numbers).map("".join)
ranges = st.lists(
    st.lists(terms, min_size=1, max_size=2).map(" ".join), min_size=1, max_size=2
).map(" || ".join)


@given(ranges, ranges, numbers)
def test_ranges_that_share_a_version_overlap(one, other, number):
    version = Version.parse(number)
    assert version is not None

    if parse(one).contains(version) and parse(other).contains(version):
        assert parse(one).overlaps(parse(other))


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text):
    with suppress(ConfigError):
        parse(text)
