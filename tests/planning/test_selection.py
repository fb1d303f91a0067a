"""Which tags are selected, on real lists of tags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import ConfigError
from replicator.oci.reference import Tag
from replicator.planning.observation import SourceTag
from replicator.planning.rule import Order, TagSelection
from replicator.planning.selection import Selector, subject_digits

DATA = Path(__file__).parent / "data"
NOW = datetime(2025, 6, 1, tzinfo=UTC)


def tag_list(name: str) -> list[SourceTag]:
    return [SourceTag(Tag(line), None) for line in (DATA / f"{name}.txt").read_text().split()]


def selected(name: str, selection: TagSelection) -> set[str]:
    return {
        str(verdict.tag.tag)
        for verdict in Selector(selection).select(tag_list(name), now=NOW)
        if verdict.selected
    }


def reason(tag: str, selection: TagSelection) -> str:
    (verdict,) = Selector(selection).select([SourceTag(Tag(tag), None)], now=NOW)
    assert not verdict.selected
    return verdict.reason


@pytest.mark.parametrize(
    ("name", "selection", "expected"),
    [
        (
            "alpine",
            TagSelection(semver=">=3.18", exclude=("*-rc*",), latest=5),
            {"3.22.2", "3.22.1", "3.22.0", "3.22", "3.21.5"},
        ),
        (
            "alpine",
            TagSelection(semver="3.20.x"),
            {"3.20", *(f"3.20.{patch}" for patch in range(9))},
        ),
        ("alpine", TagSelection(semver=">=3.21", regex=(r"\d+\.\d+",)), {"3.21", "3.22"}),
        ("alpine", TagSelection(latest=2), {"3.22.2", "3.22.1"}),
        (
            "alpine",
            TagSelection(semver=">=20250101"),
            {"20250108", "20250527"},
        ),
        (
            "alpine",
            TagSelection(include=("2025*",), latest=1),
            {"20250527"},
        ),
        ("alpine", TagSelection(include=("edge", "latest", "missing")), {"edge", "latest"}),
        (
            "python",
            TagSelection(semver=">=3.13"),
            {"3.13", "3.13.0", "3.13.1", "3.13.2", "3.13.3"},
        ),
        (
            "python",
            TagSelection(semver=">=3.13", prerelease=True, exclude=("*a?", "*b?")),
            {
                *("3.13", "3.13.0", "3.13.1", "3.13.2", "3.13.3"),
                *("3.13.0rc1", "3.13.0rc2", "3.14-rc", "3.14.0rc1", "3.14.0rc2"),
            },
        ),
        (
            "python",
            TagSelection(include=("*-slim",), semver=">=3.12", latest=3),
            {"3.13.3-slim", "3.13.2-slim", "3.13.1-slim"},
        ),
        (
            "python",
            TagSelection(include=("*-slim",), semver="3.13.x", prerelease=True, latest=7),
            {
                *("3.13-slim", "3.13.0-slim", "3.13.1-slim", "3.13.2-slim", "3.13.3-slim"),
                *("3.13.0rc2-slim", "3.13.0rc1-slim"),
            },
        ),
        (
            "python",
            TagSelection(include=("3.12*", "3.13*"), exclude=("*-*", "*rc*", "*a?", "*b?")),
            {
                *("3.12", "3.12.5", "3.12.6", "3.12.7", "3.12.8", "3.12.9"),
                *("3.13", "3.13.0", "3.13.1", "3.13.2", "3.13.3"),
            },
        ),
        (
            "python",
            TagSelection(regex=(r"3\.1[23]\.[0-9]+-windowsservercore",)),
            {
                "3.12.8-windowsservercore",
                "3.13.1-windowsservercore",
                "3.13.2-windowsservercore",
            },
        ),
        (
            "kube-apiserver",
            TagSelection(semver=">=1.31"),
            {*(f"v1.31.{patch}" for patch in range(9)), *(f"v1.32.{patch}" for patch in range(5))},
        ),
        (
            "kube-apiserver",
            TagSelection(semver="~1.32", prerelease=True, exclude_regex=(r".*-alpha\..*",)),
            {
                *(f"v1.32.{patch}" for patch in range(5)),
                *("v1.32.0-beta.0", "v1.32.0-beta.1", "v1.32.0-beta.2"),
                *("v1.32.0-rc.0", "v1.32.0-rc.1"),
            },
        ),
        ("kube-apiserver", TagSelection(latest=2), {"v1.32.4", "v1.32.3"}),
        ("kube-apiserver", TagSelection(semver="1.30.12 || 1.28.15"), {"v1.30.12", "v1.28.15"}),
        ("kube-apiserver", TagSelection(include=("sha256-*",)), set()),
        (
            "node",
            TagSelection(semver="^20"),
            {"20", "20.17", "20.17.0", "20.18", "20.18.0", "20.18.1", "20.18.2"},
        ),
        (
            "node",
            TagSelection(include=("{version}-alpine3.21",), semver=">=22", latest=2),
            {"23.7.0-alpine3.21", "23.7-alpine3.21"},
        ),
        (
            "node",
            TagSelection(include=("lts*",), exclude=("*-slim",)),
            {"lts", "lts-alpine"},
        ),
        ("node", TagSelection(latest=1, semver="<1"), {"0.12.18"}),
    ],
)
def test_the_selection_of_a_real_repository(name, selection, expected):
    assert selected(name, selection) == expected


def test_all_is_selected_where_nothing_is_said():
    names = {str(tag.tag) for tag in tag_list("node")}

    assert selected("node", TagSelection()) == names


def test_tags_that_name_a_digest_are_never_ordinary_tags():
    names = selected("kube-apiserver", TagSelection())

    assert len(names) > 400
    assert not any(name.startswith("sha256-") for name in names)


@pytest.mark.parametrize(
    ("tag", "digits"),
    [
        (f"sha256-{'a' * 64}", "a" * 64),
        (f"sha256-{'a' * 64}.sig", "a" * 64),
        (f"sha512-{'b' * 64}", "b" * 64),
        ("sha256-short", None),
        (f"v1-sha256-{'a' * 64}", None),
        (f"sha256-{'a' * 64}-suffix", None),
    ],
)
def test_the_subject_of_a_tag(tag, digits):
    assert subject_digits(tag) == digits


@pytest.mark.parametrize(
    ("tag", "selection", "expected"),
    [
        (f"sha256-{'a' * 64}.sig", TagSelection(), "names a digest"),
        ("edge", TagSelection(include=("3.*",)), "matches no include pattern"),
        ("edge", TagSelection(regex=(r"\d+",)), "matches no regular expression"),
        ("3.1-rc1", TagSelection(exclude=("*-rc*",)), 'is excluded by "*-rc*"'),
        ("3.1-rc1", TagSelection(exclude_regex=(".*rc.*",)), 'is excluded by ".*rc.*"'),
        ("edge", TagSelection(semver=">=3"), "is not a version"),
        ("3.1-rc1", TagSelection(semver=">=3"), "is a pre-release"),
        ("3.1-slim", TagSelection(semver=">=3"), 'is the variant "slim"'),
        ("2.9", TagSelection(semver=">=3"), "is not in >=3"),
        ("3.1", TagSelection(newer_than=timedelta(days=1)), "nobody knows when it was made"),
    ],
)
def test_the_reason_for_leaving_a_tag_out_is_said(tag, selection, expected):
    assert expected in reason(tag, selection)


def test_the_reason_for_taking_a_tag_is_said():
    selector = Selector(TagSelection(include=("3.*",), semver=">=3.18"))

    (verdict,) = selector.select([SourceTag(Tag("3.20"), None)], now=NOW)

    assert verdict.reason == 'matches "3.*" and is in >=3.18'


def aged(**days: int) -> list[SourceTag]:
    return [SourceTag(Tag(tag), None, NOW - timedelta(days=age)) for tag, age in days.items()]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (TagSelection(newer_than=timedelta(days=10)), ["new", "week"]),
        (TagSelection(older_than=timedelta(days=10)), ["month", "year"]),
        (
            TagSelection(newer_than=timedelta(days=60), older_than=timedelta(days=2)),
            ["week", "month"],
        ),
        (TagSelection(latest=2, order=Order.CREATED), ["new", "week"]),
        (
            TagSelection(older_than=timedelta(days=2), latest=1, order=Order.CREATED),
            ["week"],
        ),
    ],
)
def test_tags_are_selected_by_age(selection, expected):
    verdicts = Selector(selection).select(aged(new=1, week=7, month=30, year=365), now=NOW)

    assert [verdict.tag.tag for verdict in verdicts if verdict.selected] == expected


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (TagSelection(include=("3.18", "latest", "3.18")), ("3.18", "latest")),
        (TagSelection(include=("3.18",), exclude=("*rc*",), semver=">=3"), ("3.18",)),
        (TagSelection(include=("3.18", "3.*")), None),
        (TagSelection(include=("3.18", "3.19"), latest=1), None),
        (TagSelection(), None),
        (TagSelection(regex=("3.18",)), None),
    ],
)
def test_tags_that_are_all_named_need_no_listing(selection, expected):
    assert Selector(selection).literal_tags == expected


def test_a_name_that_can_be_no_tag_is_refused():
    with pytest.raises(ConfigError, match=r"tags\.include: '-x' is not a tag"):
        Selector(TagSelection(include=("-x",)))


def test_captures_of_glob_and_expression_are_put_together():
    selector = Selector(TagSelection(include=("v{version}",), regex=(r"v(?P<major>\d+).*",)))

    verdict = selector.judge(SourceTag(Tag("v12.3"), None), now=NOW)

    assert verdict.captures == {"version": "12.3", "major": "12"}
    assert selector.captures == {"version", "major"}


tag_names = st.from_regex(r"v?[0-3](\.[0-3]){0,2}(-(rc1|slim))?|latest|edge", fullmatch=True)
selections = st.builds(
    TagSelection,
    include=st.sampled_from([(), ("*",), ("v*", "latest"), ("*-slim",)]),
    exclude=st.sampled_from([(), ("*-rc*",), ("v*",)]),
    semver=st.sampled_from(["", ">=1", "^1.2", "<2 || 3.x"]),
    prerelease=st.booleans(),
    latest=st.sampled_from([None, 1, 3]),
)


@given(st.lists(tag_names, unique=True), selections, st.randoms())
def test_the_order_of_the_listing_does_not_matter(names, selection, random):
    tags = [SourceTag(Tag(name), None) for name in names]
    shuffled = random.sample(tags, len(tags))

    one = {verdict.tag.tag: verdict for verdict in Selector(selection).select(tags, now=NOW)}
    other = {verdict.tag.tag: verdict for verdict in Selector(selection).select(shuffled, now=NOW)}

    assert one == other


@given(st.lists(tag_names, unique=True), selections)
def test_every_tag_has_a_verdict_with_a_reason_and_latest_is_obeyed(names, selection):
    verdicts = Selector(selection).select([SourceTag(Tag(name), None) for name in names], now=NOW)

    assert [verdict.tag.tag for verdict in verdicts] == names
    assert all(verdict.reason for verdict in verdicts)
    if selection.latest is not None:
        assert sum(verdict.selected for verdict in verdicts) <= selection.latest
