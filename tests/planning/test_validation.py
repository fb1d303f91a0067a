"""Rules are refused with the field that is wrong and the fix, alone and together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.errors import ConfigError
from replicator.oci.platform import Platform
from replicator.planning.rule import Order, Prune, RepositorySelection, Rule, TagSelection
from replicator.planning.validation import check_rule, check_rules

GOOD = Rule(
    "base",
    "docker.io/library/*",
    ("registry.example.com/hub/{repository}",),
    repositories=RepositorySelection(include=("alpine", "debian")),
    tags=TagSelection(semver=">=3.18", exclude=("*-rc*",), latest=5),
    schedule="0 3 * * *",
    timezone="Asia/Shanghai",
    platforms=(Platform("linux", "amd64"), Platform("linux", "arm64", "v8")),
)
ONE = Rule("one", "docker.io/library/alpine", ("registry.example.com/hub/alpine",))


def tags(**selection: object) -> dict[str, object]:
    return {"tags": TagSelection(**selection)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "changes", "field", "fix"),
    [
        (ONE, {"name": ""}, "name", "use up to 100 letters, digits"),
        (ONE, {"name": "base images"}, "name", "use up to 100 letters, digits"),
        (ONE, {"name": "x" * 101}, "name", "use up to 100 letters, digits"),
        (ONE, {"source": ""}, "source", "is not a reference"),
        (ONE, {"source": "alpine:3.18"}, "source", "select with tags"),
        (ONE, {"source": "https://quay.io/a/b"}, "source", "without https://"),
        (ONE, {"source": "quay.io/Team/app"}, "source", "repository names are lower case"),
        (ONE, {"source": "quay.io/Team/*"}, "source", "repository names are lower case"),
        (ONE, {"source": "docker.io/**"}, "source", "name a namespace"),
        (ONE, {"source": "*.io/team/app"}, "source", "the registry's host cannot be a pattern"),
        (ONE, {"source": "oci:/srv/*"}, "source", "an image layout is one repository"),
        (ONE, {"source": "quay.io/[team/*"}, "source", 'the "[" has no "]"'),
        (ONE, {"source": "quay.io/{a,b}/*"}, "source", "write one pattern for each choice"),
        (
            ONE,
            {"repositories": RepositorySelection(include=("alpine",))},
            "repositories",
            'end the source with "/*"',
        ),
        (
            GOOD,
            {"repositories": RepositorySelection(include=("library/alpine",))},
            "repositories",
            'write what follows "library/"',
        ),
        (
            GOOD,
            {"repositories": RepositorySelection(include=("Alpine*",))},
            "repositories.include",
            "repository names are lower case",
        ),
        (
            GOOD,
            {"repositories": RepositorySelection(exclude=("",))},
            "repositories.exclude",
            'write "*" for all',
        ),
        (ONE, {"destinations": ()}, "destinations", "write at least one"),
        (ONE, {"destinations": ("quay.io/{repo}",)}, "destinations", "did you mean {repository}?"),
        (ONE, {"destinations": ("quay.io/a/{tag}",)}, "destinations", "may stand after a colon"),
        (ONE, {"destinations": ("{registry}/a",)}, "destinations", "write the host of a registry"),
        (ONE, {"destinations": ("http://a.io/b",)}, "destinations", "without https://"),
        (ONE, {"destinations": ("quay.io/a/{name",)}, "destinations", "the braces do not match"),
        (ONE, {"destinations": ("quay.io/a:x",)}, "destinations", "add {tag}"),
        (ONE, {"destinations": ("quay.io/a:x/b",)}, "destinations", "is not a repository name"),
        (
            GOOD,
            {"destinations": ("quay.io/acme/all",)},
            "destinations",
            "add {repository} or {name}",
        ),
        (ONE, tags(include=("a b",)), "tags.include", "no tag contains ' '"),
        (ONE, tags(include=(".hidden",)), "tags.include", "is not a tag"),
        (ONE, tags(include=("v{tag}",)), "tags.include", "choose another name"),
        (ONE, tags(exclude=("[",)), "tags.exclude", 'the "[" has no "]"'),
        (ONE, tags(regex=("(",)), "tags.regex", "missing )"),
        (ONE, tags(regex=("(?!rc).*",)), "tags.regex", "look-around and back references are not"),
        (ONE, tags(exclude_regex=(r"(a)\1",)), "tags.exclude_regex", "back references are not"),
        (ONE, tags(semver="newest"), "tags.semver", "is not a version"),
        (ONE, tags(semver=">=3.18-alpine"), "tags.semver", 'include = ["*-alpine"]'),
        (ONE, tags(semver=">=2 <1"), "tags.semver", "no version is in"),
        (ONE, tags(semver="1.0 - 2.0"), "tags.semver", 'write ">=A <=B"'),
        (ONE, tags(latest=0), "tags.latest", "write 1 or more"),
        (ONE, tags(latest=3, min_tags=5), "tags.min_tags", "more than latest = 3"),
        (ONE, tags(min_tags=-1), "tags.min_tags", "below 0"),
        (ONE, tags(include=("a", "b"), min_tags=3), "tags.min_tags", "include names 2"),
        (ONE, tags(include=("1.0-rc1",), semver=">=1"), "tags", "is a pre-release"),
        (ONE, tags(include=("a",), exclude=("a",)), "tags", 'is excluded by "a"'),
        (ONE, tags(newer_than=timedelta(0)), "tags.newer_than", "longer than nothing"),
        (
            ONE,
            tags(newer_than=timedelta(days=1), older_than=timedelta(days=2)),
            "tags.older_than",
            "swap them",
        ),
        (ONE, {"platforms": (Platform("amd64", "linux"),)}, "platforms", 'write "linux/amd64"'),
        (ONE, {"platforms": (Platform("any", "any"),)}, "platforms", 'for example "linux/amd64"'),
        (
            ONE,
            {"platforms": (Platform("linux", "arm64"), Platform("linux", "arm64"))},
            "platforms",
            "is named twice",
        ),
        (ONE, {"immutable": ("v[",)}, "immutable", 'the "[" has no "]"'),
        (ONE, {"schedule": "0 0 3 * * *"}, "schedule", 'leave out the seconds: "0 3 * * *"'),
        (ONE, {"schedule": "@daily"}, "schedule", '"0 3 * * *" is every day at 03:00'),
        (ONE, {"schedule": "every day"}, "schedule", '"0 3 * * *" is every day at 03:00'),
        (ONE, {"schedule": "60 3 * * *"}, "schedule", "it goes from 0 to 59"),
        (ONE, {"schedule": "0 3 * 13 *"}, "schedule", "it goes from 1 to 12"),
        (ONE, {"schedule": "0 3 * * mon-fry"}, "schedule", "it goes from 0 to 7"),
        (ONE, {"schedule": "*/0 * * * *"}, "schedule", "steps are from 1 to 59"),
        (ONE, {"schedule": "0 5-3 * * *"}, "schedule", "it goes from 0 to 23"),
        (ONE, {"schedule": "0 3,,4 * * *"}, "schedule", "write *, a number, a-b, or */n"),
        (ONE, {"schedule": "0 3 31 2,4 *"}, "schedule", "never comes due"),
        (ONE, {"timezone": "Asia/Shangai"}, "timezone", 'did you mean "Asia/Shanghai"?'),
        (ONE, {"timezone": ""}, "timezone", 'write for example "Europe/Berlin"'),
        (ONE, {"timezone": "../etc/passwd"}, "timezone", "is not a time zone"),
        (
            ONE,
            {"prune": Prune.MIRROR, "tags": TagSelection(include=("1.0", "1.1"))},
            "prune",
            "nothing is listed",
        ),
        (ONE, {"tags": TagSelection(labels=("team",))}, "tags.labels", 'write "key=value"'),
        (ONE, {"tags": TagSelection(annotations=("=x",))}, "tags.annotations", "has no value"),
        (ONE, {"tags": TagSelection(max_size=0)}, "tags.max_size", 'write "2GiB"'),
        (ONE, {"max_prune": -1}, "max_prune", "below 0"),
        (ONE, {"prune_after": timedelta(days=-1)}, "prune_after", "not below nothing"),
        (
            ONE,
            {"source": "registry.example.com/hub/alpine"},
            "destinations",
            "the rule would read what it writes",
        ),
        (
            ONE,
            {"destinations": ("index.docker.io/library/alpine",)},
            "destinations",
            "the rule would read what it writes",
        ),
        (
            GOOD,
            {
                "source": "registry.example.com/**",
                "repositories": RepositorySelection(),
                "destinations": ("registry.example.com/mirror/{repository}",),
            },
            "destinations",
            "the rule would read what it writes",
        ),
        (
            ONE,
            {"destinations": ("quay.io/acme/alpine", "quay.io/acme/{name}")},
            "destinations",
            "may write the same tag",
        ),
        (
            GOOD,
            {
                "source": "quay.io/**",
                "repositories": RepositorySelection(include=("a/x", "b/x")),
                "destinations": ("registry.example.com/hub/{name}",),
            },
            "destinations",
            '"quay.io/a/x → registry.example.com/hub/{name}" and "quay.io/b/x',
        ),
    ],
)
def test_a_bad_rule_is_refused_with_its_name_the_field_and_the_fix(rule, changes, field, fix):
    bad = replace(rule, **changes)

    with pytest.raises(ConfigError) as refusal:
        check_rules([bad])

    assert str(refusal.value).startswith(f'rule "{bad.name}": {field}: ')
    assert fix in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": "*/5 0-6,22-23 1-15/2 jan-mar MON,7"},
        {"schedule": "0 3 31 * *"},
        {"schedule": "0 3 30 2 mon"},
        {"timezone": "UTC"},
        {"destinations": ("registry.example.com/hub/{name}", "oci:/srv/{name}")},
        {"destinations": ("registry.example.com/all:{name}-{tag}",)},
        {"tags": TagSelection(latest=1), "destinations": ("quay.io/acme/{name}:stable",)},
        {"tags": TagSelection(latest=3, order=Order.CREATED)},
        {"tags": TagSelection(include=("3.18",))},
        {"repositories": RepositorySelection(exclude=("windows*",))},
        {"source": "registry.example.com/team/**", "repositories": RepositorySelection()},
        {
            "source": "registry.example.com/**",
            "repositories": RepositorySelection(exclude=("mirror/**",)),
            "destinations": ("registry.example.com/mirror/{repository}",),
        },
        {"platforms": (Platform("windows", "amd64"),)},
    ],
)
def test_a_good_rule_passes(changes):
    check_rules([replace(GOOD, **changes)])


def named(name: str, **changes: object) -> Rule:
    return replace(ONE, name=name, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({}, {"source": "quay.io/team/alpine"}),
        (
            {"source": "docker.io/library/*", "destinations": ("registry.example.com/hub/{name}",)},
            {"source": "quay.io/team/alpine"},
        ),
        (
            {"source": "quay.io/a/**", "destinations": ("registry.example.com/{repository}",)},
            {"source": "ghcr.io/a/*", "destinations": ("registry.example.com/a/{name}",)},
        ),
        (tags(include=("3.*",)), tags(include=("*.18",))),
        (tags(semver=">=3"), tags(semver="<3.5")),
        (tags(include=("3.18",)), tags(semver=">=3")),
        (tags(regex=("3.*",)), tags(include=("3.18",))),
        (
            {"destinations": ("registry.example.com/all:{name}-{tag}",)},
            {"destinations": ("registry.example.com/all:alpine-{tag}",)},
        ),
        (
            {
                "source": "docker.io/library/*",
                "repositories": RepositorySelection(exclude=("debian",)),
                "destinations": ("registry.example.com/hub/{name}",),
            },
            {},
        ),
    ],
)
def test_two_rules_that_could_write_one_tag_are_refused_with_both_names(first, second):
    with pytest.raises(ConfigError) as refusal:
        check_rules([named("first", **first), named("second", **second)])

    assert 'rule "second": destinations: rule "first" may write the same tag' in str(refusal.value)
    assert "such as registry.example.com/" in str(refusal.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"destinations": ("registry.example.com/hub/other",)}),
        ({}, {"destinations": ("quay.io/hub/alpine",)}),
        (tags(include=("3.*",)), tags(include=("4.*",))),
        (tags(include=("*-slim",)), tags(include=("*-alpine",))),
        (tags(semver=">=3"), tags(semver="<3")),
        (tags(include=("3.18",)), tags(semver=">=4")),
        (tags(include=("3.18",)), tags(regex=("4.*",))),
        (tags(exclude=("*-slim",)), tags(include=("*-slim",))),
        (
            {
                "source": "docker.io/library/*",
                "repositories": RepositorySelection(exclude=("alpine",)),
                "destinations": ("registry.example.com/hub/{name}",),
            },
            {},
        ),
        (
            {
                "source": "docker.io/library/*",
                "repositories": RepositorySelection(include=("debian", "python*")),
                "destinations": ("registry.example.com/hub/{name}",),
            },
            {},
        ),
        (
            {"destinations": ("registry.example.com/all:{name}-{tag}",)},
            {
                "source": "docker.io/library/debian",
                "destinations": ("registry.example.com/all:{name}-{tag}",),
            },
        ),
        (
            {"destinations": ("registry.example.com/hub/alpine:{tag}-amd64",)},
            {"destinations": ("registry.example.com/hub/alpine:{tag}-arm64",)},
        ),
    ],
)
def test_two_rules_that_cannot_meet_pass(first, second):
    check_rules([named("first", **first), named("second", **second)])


@pytest.mark.parametrize(
    "rules",
    [
        [
            named("out", source="a.io/x", destinations=("b.io/x",)),
            named("back", source="b.io/x", destinations=("a.io/x",)),
        ],
        [
            named("out", source="a.io/team/*", destinations=("b.io/{repository}",)),
            named("back", source="b.io/team/*", destinations=("a.io/{repository}",)),
        ],
        [
            named("ab", source="a.io/x", destinations=("b.io/x",)),
            named("bc", source="b.io/x", destinations=("c.io/x",)),
            named("ca", source="c.io/x", destinations=("a.io/x",)),
        ],
    ],
)
def test_rules_that_copy_in_a_circle_are_refused(rules):
    with pytest.raises(ConfigError, match="rules copy in a circle"):
        check_rules(rules)


@pytest.mark.parametrize(
    "rules",
    [
        [
            named("hub", source="a.io/x", destinations=("b.io/x",)),
            named("edge", source="b.io/x", destinations=("c.io/x",)),
        ],
        [
            named("out", source="a.io/x", destinations=("b.io/x",), **tags(include=("v*",))),
            named("back", source="b.io/x", destinations=("a.io/x",), **tags(include=("dev-*",))),
        ],
        [
            named(
                "retag", source="a.io/x", destinations=("a.io/x:{tag}-ok",), **tags(include=("1",))
            )
        ],
    ],
)
def test_rules_in_a_line_pass(rules):
    check_rules(rules)


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(ConfigError, match='rule "one": name: two rules have it; rename one'):
        check_rules([ONE, replace(ONE, destinations=("quay.io/x/y",))])


def test_ten_thousand_rules_are_checked_in_one_go():
    rules = [
        named(
            f"rule-{n}", source=f"quay.io/team/{n}", destinations=("registry.example.com/{name}",)
        )
        for n in range(10_000)
    ]
    wild = named("wild", source="ghcr.io/team/**", destinations=("registry.example.com/w/{name}",))

    assert len(check_rules([*rules, wild])) == 10_001


def test_a_rule_by_itself_is_prepared():
    prepared = check_rule(GOOD)

    assert prepared.scope == "linux/amd64,linux/arm64/v8"
    assert prepared.selector.literal_tags is None
