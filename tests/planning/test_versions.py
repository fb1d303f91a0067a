"""Versions as tags write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.planning.versions import Version


def version(text: str) -> Version:
    found = Version.parse(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    ("tag", "numbers", "prerelease", "revision", "variant"),
    [
        ("3.18", (3, 18), "", "", ""),
        ("3", (3,), "", "", ""),
        ("v1.2", (1, 2), "", "", ""),
        ("V1.2.3.4", (1, 2, 3, 4), "", "", ""),
        ("2024.05", (2024, 5), "", "", ""),
        ("1.2.3-alpine", (1, 2, 3), "", "", "alpine"),
        ("22-alpine3.20", (22,), "", "", "alpine3-20"),
        ("3.12-slim-bookworm", (3, 12), "", "", "slim-bookworm"),
        ("1.2.3-rc.1", (1, 2, 3), "rc.1", "", ""),
        ("1.2.3-RC1", (1, 2, 3), "rc1", "", ""),
        ("3.13.0rc1", (3, 13, 0), "rc1", "", ""),
        ("3.13.0a4-slim", (3, 13, 0), "a4", "", "slim"),
        ("3.14-rc-slim", (3, 14), "rc", "", "slim"),
        ("v1.30.0-alpha.1", (1, 30, 0), "alpha.1", "", ""),
        ("1.0-SNAPSHOT", (1, 0), "snapshot", "", ""),
        ("4.0.0-M3", (4, 0, 0), "m3", "", ""),
        ("5.0.0.Final", (5, 0, 0), "", "", ""),
        ("3.1.0.RELEASE", (3, 1, 0), "", "", ""),
        ("1.2.3-4", (1, 2, 3), "", "4", ""),
        ("2.4.58-r0", (2, 4, 58), "", "r0", ""),
        ("1.1.1w", (1, 1, 1), "", "w", ""),
        ("15.4.0-debian-11-r10", (15, 4, 0), "", "", "debian-11-r10"),
        ("v1.24.10-gke.1200", (1, 24, 10), "", "", "gke-1200"),
        ("v1.28.3_k3s1", (1, 28, 3), "", "", "k3s1"),
        ("1.4.0-5-gabcdef0", (1, 4, 0), "", "5", "gabcdef0"),
        ("8.0.35-1.el9", (8, 0, 35), "", "1", "el9"),
        ("1.2.3+build7", (1, 2, 3), "", "build7", ""),
    ],
)
def test_a_tag_is_told_apart_into_numbers_and_what_follows(
    tag, numbers, prerelease, revision, variant
):
    assert version(tag) == Version(numbers, prerelease, revision, variant)


@pytest.mark.parametrize(
    ("tag", "numbers"),
    [
        ("20240329", (2024, 3, 29)),
        ("2024-03-29", (2024, 3, 29)),
        ("202403291530", (2024, 3, 29, 1530)),
    ],
)
def test_a_day_is_a_version_of_its_own_kind(tag, numbers):
    assert version(tag) == Version(numbers, dated=True)


@pytest.mark.parametrize(
    "tag",
    ["latest", "edge", "bookworm", "7e3a5b2", "7b3", "v", "vv1", "x1.2", "-1", "1x", "release-1.2"],
)
def test_other_names_are_no_versions(tag):
    assert Version.parse(tag) is None


def test_eight_digits_that_are_no_day_are_a_number():
    assert version("12345678") == Version((12345678,))


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.9", "1.10", "1.10.1", "2"],
        ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"],
        ["1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"],
        ["3.13.0a4", "3.13.0b1", "3.13.0rc1", "3.13.0rc2", "3.13.0", "3.13.1"],
        ["1.2.3", "1.2.3-1", "1.2.3-2", "1.2.3-10", "1.2.4"],
        ["1.1.1", "1.1.1a", "1.1.1w", "1.1.2"],
        ["20230901", "20240329", "0.0.1"],
        ["2024-04-30", "2024-05-17"],
        ["v1.29.9", "1.30.0"],
    ],
)
def test_versions_come_in_this_order(ordered):
    versions = [version(text) for text in ordered]

    assert sorted(versions, key=lambda each: each.key) == versions
    assert len({each.key for each in versions}) == len(versions)


@pytest.mark.parametrize(("one", "other"), [("1.2", "1.2.0"), ("v1.2", "1.2"), ("3-slim", "3")])
def test_these_are_the_same_version(one, other):
    assert version(one).key == version(other).key


def test_of_equal_versions_the_one_that_says_more_comes_later():
    assert version("1.2").order < version("1.2.0").order


tags = st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,2}){0,3}([-_.][a-z0-9]{1,5}){0,3}", fullmatch=True)


@given(st.text(max_size=128))
def test_no_text_breaks_the_parser(text):
    Version.parse(text)


@given(st.permutations(["1.2", "1.2-rc1", "1.2-4", "1.2-slim", "v1.2.0", "20240329", "2.a"]))
def test_the_order_is_total(texts):
    orders = [version(text).order for text in texts]

    assert sorted(orders) == [
        version(text).order
        for text in ("20240329", "1.2-rc1", "1.2", "1.2-slim", "v1.2.0", "1.2-4", "2.a")
    ]


@given(tags)
def test_what_is_printed_reads_as_the_same_version(text):
    found = Version.parse(text)
    if found is None:
        return

    again = Version.parse(str(found))

    assert again is not None
    assert again.numbers == found.numbers
