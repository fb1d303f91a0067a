"""Files of other tools become rules of ours, and what has no counterpart is said."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from replicator.config.importers import FORMATS, read_foreign
from replicator.config.importers.draft import Options, to_toml
from replicator.config.importers.foreign import globs_of
from replicator.config.importers.regsync_versions import range_of
from replicator.errors import ConfigError
from replicator.planning.patterns import Glob
from replicator.planning.ranges import Range
from replicator.planning.versions import Version

DIGEST = "sha256:" + "ab" * 32
REGSYNC = """
version: 1
x-nightly: &nightly
  type: registry
  schedule: 'CRON_TZ=Europe/Berlin 15 2 * * *'
  referrers: true
creds:
  - registry: docker.io
    user: acme
    pass: '{{file "/run/secrets/hub"}}'
  - {registry: 'lab.example.com:5000', tls: disabled, reqConcurrent: 6, reqPerSec: 2.5}
defaults:
  interval: 90m
sync:
  - source: redis
    target: lab.example.com:5000/hub/redis
    type: repository
    tags: {semverRange: ['>=7.2 <8', '^8.1'], deny: ['.*-windows.*']}
  - <<: *nightly
    source: harbor.example.com
    target: lab.example.com:5000/from-harbor
    repos: {allow: ['team/.*', 'base/(alpine|debian)'], deny: ['team/tmp.*']}
    tagSets: [{allow: ['v\\d+']}, {allow: [stable]}]
  - {source: 'alpine:3.20', target: 'lab.example.com:5000/alpine:three', type: image}
"""
SKOPEO = """
docker.io:
  images: {library/redis: ['7.4', 7.10], acme/app: []}
  images-by-semver: {library/node: '>=20.11 <21 || ^22.1'}
quay.io/acme:
  credentials: {username: acme+robot, password: hunter2}
  images-by-tag-regex: {billing: '^release-[0-9]+$', tools: 'v1'}
"""
IMAGES = """
docker.io/acme/api:/^v3\\./: [one.example.com/apps/api, two.example.com/apps/api]
docker.io/library/busybox:1.36,1.37: one.example.com/busybox:old,new
redis: one.example.com/redis
"""
AUTH = """
docker.io/acme: {username: acme, password: "${HUB_PW}"}
one.example.com: {username: sync, password: hunter2}
"""
DREGSY = """
relay: skopeo
tasks:
  - name: base
    interval: 3600
    source: {registry: registry.hub.docker.com}
    target: {registry: 'lab.example.com:5000', auth: eyJ1c2VybmFtZSI6ICJ1IiwgInBhc3N3b3JkIjogImh1bnRlcjIifQ==}
    mappings:
      - {from: library/postgres, to: base/postgres, platform: all, tags: ['semver: >=15.0.0 <17.0.0', 'keep: latest 6']}
      - {from: library/redis, tags: ['regex: 7.*', latest]}
  - name: team
    interval: 0
    source: {registry: a.example.com}
    target: {registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com, auth-refresh: 8h}
    mappings:
      - {from: 'regex:team/(api|web)', to: copies, tags: ['regex: !.*-dev']}
"""  # noqa: E501 - it is as its users write it


@pytest.fixture
def imported(tmp_path):
    def read(kind, *texts, **options):
        files = []
        for number, text in enumerate(texts):
            files.append(tmp_path / f"{number}.yaml")
            files[-1].write_text(text)
        found = read_foreign(kind, files, Options(**options))
        return tomllib.loads(to_toml(found)), to_toml(found)

    return read


def by_name(document):
    return {rule["name"]: rule for rule in document["rules"]}


def test_regsync(imported):
    document, text = imported("regsync", REGSYNC)

    rules = by_name(document)
    assert rules["redis"] == {
        "name": "redis",
        "source": "docker.io/library/redis",
        "destinations": ["lab.example.com:5000/hub/redis"],
        "tags": {
            "semver": ">=7.2.0 <8.0.0 || >=8.1.0 <9.0.0",
            "prerelease": True,
            "include": ["*"],
            "exclude_regex": [".*-windows.*"],
        },
        "schedule": "every 90m",
    }
    assert rules["harbor.example.com"] == {
        "name": "harbor.example.com",
        "source": "harbor.example.com/**",
        "destinations": ["lab.example.com:5000/from-harbor/{repository}"],
        "repositories": {
            "include": ["team/**", "base/alpine", "base/debian"],
            "exclude": ["team/tmp**"],
        },
        "tags": {"regex": ["v\\d+", "stable"]},
        "timezone": "Europe/Berlin",
        "schedule": "15 2 * * *",
    }
    assert rules["alpine-3.20"]["tags"] == {"include": ["3.20"]}
    assert rules["alpine-3.20"]["destinations"] == ["lab.example.com:5000/alpine:three"]
    assert document["registries"] == {
        "docker.io": {"credential": {"username": "acme", "password_file": "/run/secrets/hub"}},
        "lab.example.com:5000": {
            "plain_http": True,
            "requests_per_second": 2.5,
            "max_concurrency": 6,
        },
    }
    assert "a pre-release belongs to its version" in re.sub(r"\n#\s+", " ", text)


def test_skopeo(imported):
    document, text = imported(
        "skopeo", SKOPEO, destination="lab.example.com/m", scoped=True, all_platforms=True
    )

    rules = by_name(document)
    assert {rule["source"] for rule in document["rules"]} == {
        "docker.io/library/redis",
        "docker.io/acme/app",
        "docker.io/library/node",
        "quay.io/acme/billing",
        "quay.io/acme/tools",
    }
    assert rules["library-redis"]["tags"] == {"include": ["7.4", "7.10"]}
    assert rules["library-redis"]["destinations"] == ["lab.example.com/m/{registry}/{repository}"]
    assert "tags" not in rules["acme-app"]
    assert rules["library-node"]["tags"] == {"semver": ">=20.11 <21 || ^22.1"}
    assert re2.fullmatch(rules["tools"]["tags"]["regex"][0], "dev-v1.2")
    assert not re2.fullmatch(rules["billing"]["tags"]["regex"][0], "release-7-rc")
    assert "hunter2" not in text


def test_skopeo_copies_one_platform_unless_told_otherwise(imported):
    document, text = imported("skopeo", SKOPEO, destination="lab.example.com/m")

    assert all(rule["platforms"] == ["linux/amd64"] for rule in document["rules"])
    assert "the whole index is copied" in text.replace("\n#  ", "")


def test_skopeo_has_its_destination_elsewhere(imported):
    with pytest.raises(ConfigError, match="--destination"):
        imported("skopeo", SKOPEO)


def test_repositories_that_skopeo_lets_overwrite_each_other_are_found(imported):
    two = "docker.io: {images: {team-a/app: [], team-b/app: []}}"

    document, text = imported("skopeo", two, destination="lab.example.com", all_platforms=True)

    assert [rule.get("enabled", True) for rule in document["rules"]] == [True, False]
    assert "go to one repository" in text


@pytest.mark.parametrize("files", [(IMAGES, AUTH), (AUTH, IMAGES)], ids=["images", "auth"])
def test_image_syncer(imported, files):
    document, text = imported("image-syncer", *files)

    rules = by_name(document)
    api = rules["docker.io-acme-api"]
    assert api["destinations"] == ["one.example.com/apps/api", "two.example.com/apps/api"]
    assert re2.fullmatch(api["tags"]["regex"][0], "v3.1")
    assert not re2.fullmatch(api["tags"]["regex"][0], "rev3.1")
    renamed = {
        (*rule["tags"]["include"], *rule["destinations"])
        for rule in document["rules"]
        if rule["source"] == "docker.io/library/busybox"
    }
    assert renamed == {
        ("1.36", "one.example.com/busybox:old"),
        ("1.37", "one.example.com/busybox:new"),
    }
    assert rules["redis"]["source"] == "docker.io/library/redis"
    assert document["registries"]["docker.io/acme"]["credential"] == {
        "username": "acme",
        "password_env": "HUB_PW",
    }
    assert "hunter2" not in text


def test_logins_of_image_syncer_are_nothing_without_its_images(imported):
    with pytest.raises(ConfigError, match=r"0\.yaml: has logins alone; name the file of images"):
        imported("image-syncer", AUTH)


def test_image_syncer_in_one_json_file(imported):
    both = {"auth": {}, "images": {"quay.io/coreos/etcd": "lab.example.com/etcd"}}

    document, _ = imported("image-syncer", json.dumps(both))

    assert [rule["source"] for rule in document["rules"]] == ["quay.io/coreos/etcd"]


def test_dregsy(imported):
    document, text = imported("dregsy", DREGSY)

    rules = by_name(document)
    postgres = rules["base-library-postgres"]
    assert postgres["source"] == "docker.io/library/postgres"
    assert postgres["destinations"] == ["lab.example.com:5000/base/postgres"]
    assert postgres["schedule"] == "every 1h"
    assert (postgres["tags"]["semver"], postgres["tags"]["latest"]) == (">=15.0.0 <17.0.0", 6)
    assert "platforms" not in postgres
    redis = rules["base-library-redis"]
    assert redis["tags"] == {"regex": ["7.*", "latest"]}
    assert redis["platforms"] == ["linux/amd64"]
    team = rules["team-team-api-web"]
    assert team["repositories"] == {"include": ["team/api", "team/web"]}
    assert team["destinations"][0].endswith(".amazonaws.com/copies/{repository}")
    assert team["tags"] == {"exclude_regex": [".*-dev"]}
    assert "schedule" not in team
    login = document["registries"]["lab.example.com:5000"]["credential"]
    assert login == {"username": "u", "password_env": "LAB_EXAMPLE_COM_5000_PASSWORD"}
    assert "hunter2" not in text


FILES = {"regsync": REGSYNC, "skopeo": SKOPEO, "image-syncer": IMAGES, "dregsy": DREGSY}


OTHERS = [
    *((kind, other) for kind in FILES for other in FILES if kind != other),
    *((kind, "auth") for kind in FILES if kind != "image-syncer"),
]


@pytest.mark.parametrize(("kind", "other"), OTHERS)
def test_a_file_of_another_tool_is_refused_and_recognised(imported, kind, other):
    with pytest.raises(ConfigError) as refusal:
        imported(kind, {**FILES, "auth": AUTH}[other], destination="lab.example.com")

    tool = "image-syncer" if other == "auth" else other
    assert f"0.yaml: is no file of {kind}: expected " in str(refusal.value)
    assert str(refusal.value).endswith(f"; it looks like one of {tool}")


@pytest.mark.parametrize("kind", sorted(FILES))
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0.yaml: is empty"),
        ("- a\n", "expected a mapping"),
        ("services: {web: {image: nginx}}\nversion: '3'", "0.yaml: is no file of KIND: expected "),
        ("rules: [{name: a}]", "; it looks like rules of our own, which `replicate apply` takes"),
        ("a: [1\nb: 2\n", "0.yaml:2:2: is not YAML: "),
        ("[service]\nlisten = ':80'\n", "0.yaml: is TOML, as our own files are"),
    ],
)
def test_what_is_of_no_tool_is_refused_and_not_taken_for_no_rules(imported, kind, text, said):
    with pytest.raises(ConfigError) as refusal:
        imported(kind, text, destination="lab.example.com")

    assert said.replace("KIND", kind) in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (
            "regsync",
            "sync: [{source: a, target: b.io/a, type: repository, platforms: [linux/arm64]}]",
        ),
        ("regsync", "sync: [{source: a, target: b.io/a, type: image, platform: linux/arm64}]"),
        ("skopeo", "docker.io: {images: {a: []}}"),
        ("dregsy", DREGSY),
    ],
)
def test_single_images_of_another_platform_are_remarked_on(imported, kind, text):
    document, written = imported(kind, text, destination="lab.example.com")

    restricted = [rule for rule in document["rules"] if "platforms" in rule]
    written = written.replace("\n#  ", "")
    remark = f"{kind} copies an image that is no index, whatever its platform; here one whose"
    assert written.count(remark) == len(restricted) > 0


REPOSITORY = "sync: [{source: redis, target: lab.example.com/redis, type: repository, %s}]"


@pytest.mark.parametrize(
    "setting",
    [
        "backup: 'old-{{.Ref.Tag}}'",
        "mediaTypes: [application/json]",
        "referrerFilters: [{artifactType: text/plain}]",
        "referrerTarget: lab.example.com/signatures",
        "tags: {semverRange: ['1 || 2']}",
        "tagSets: [{allow: [a]}, {deny: [b]}]",
        "tags: {allow: ['(?<=a)b']}",
        "schedule: 'at noon'",
    ],
)
def test_a_rule_that_would_do_something_else_is_switched_off(imported, setting):
    document, text = imported("regsync", REPOSITORY % setting)

    assert "# NOT CARRIED OVER: " in text
    assert all(rule.get("enabled") is False for rule in document.get("rules", ()))


@pytest.mark.parametrize(
    ("setting", "referrers", "is_remarked"),
    [
        ("", None, True),
        ("referrers: true", None, False),
        ("referrers: false", False, False),
        ("digestTags: true", None, True),
        ("digestTags: false", None, True),
        ("referrers: false, digestTags: true", None, True),
        ("referrers: true, digestTags: false", None, False),
    ],
)
def test_referrers_come_along_unless_regsync_was_told_to_leave_them(
    imported, setting, referrers, is_remarked
):
    document, text = imported("regsync", REPOSITORY % setting)

    (rule,) = document["rules"]
    assert rule.get("referrers") is referrers
    assert ("# referrers: regsync" in text) is is_remarked


def test_a_default_of_regsync_says_whether_referrers_come_along(imported):
    document, text = imported("regsync", f"defaults: {{referrers: false}}\n{REPOSITORY % ''}")

    assert document["rules"][0]["referrers"] is False
    assert "# referrers: regsync" not in text


@pytest.mark.parametrize("key", ["hooks", "fastCheck", "forceRecursive", "ratelimit", "colour"])
def test_what_is_passed_over_is_said(imported, key):
    value = {"hooks": "{pre: {}}", "ratelimit": "{min: 5}"}.get(key, "true")

    _, text = imported("regsync", REPOSITORY % f"{key}: {value}")

    assert re.search(rf"^#.*\b{key}\b", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("regsync", "sync: [{source: 'a@DIGEST', target: lab.example.com/a, type: image}]"),
        ("skopeo", "docker.io: {images: {a: ['DIGEST']}}"),
        ("image-syncer", "{'docker.io/library/a@DIGEST': lab.example.com/a}"),
        (
            "dregsy",
            "tasks: [{name: a, source: {registry: quay.io}, target: {registry: lab.example.com}, "
            "mappings: [{from: x/a, tags: ['DIGEST']}]}]",
        ),
    ],
)
def test_digests_are_left_to_copy(imported, kind, text):
    document, written = imported(
        kind, text.replace("DIGEST", DIGEST), destination="lab.example.com"
    )

    assert "replicate copy" in written
    assert [rule["enabled"] for rule in document["rules"]] == [False]


def test_alternatives_of_regsync_keep_their_odd_anchors(imported):
    document, _ = imported("regsync", REPOSITORY % "tags: {allow: ['1|2']}")

    pattern = document["rules"][0]["tags"]["regex"][0]
    assert [tag for tag in ("1.5", "0.2", "2.5", "31") if re2.fullmatch(pattern, tag)] == [
        "1.5",
        "0.2",
    ]


@given(st.text("ab|.*^$", min_size=1, max_size=8), st.text("ab", max_size=5))
def test_a_pattern_of_regsync_matches_what_it_did(pattern, tag):
    from replicator.config.importers.draft import Draft
    from replicator.config.importers.regsync import _anchored

    draft = Draft("", "", [])
    ours = _anchored(pattern, draft)

    if draft.complete:
        theirs = re2.search(f"^{pattern}$", tag)
        assert bool(re2.fullmatch(ours, tag)) == bool(theirs)


@pytest.mark.parametrize(
    ("theirs", "inside", "outside"),
    [
        ("^1.2.3", ["1.2.3", "1.9"], ["1.2.2", "2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "1.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0", ["0.0.0"], ["0.0.1", "0.1"]),
        ("~1", ["1.0.9"], ["1.1.0"]),
        ("~1.2.3", ["1.2.9"], ["1.3.0"]),
        (">1.2", ["1.2.1", "1.3"], ["1.2.0"]),
        ("<=1.2", ["1.2.0", "1.1.9"], ["1.2.1"]),
        ("1.2", ["1.2.0"], ["1.2.1"]),
    ],
)
def test_a_range_of_regsync_has_the_same_versions(theirs, inside, outside):
    ours = Range.parse(range_of(theirs), where="here")

    assert all(ours.contains(Version.parse(each)) for each in inside)
    assert not any(ours.contains(Version.parse(each)) for each in outside)


@given(
    st.lists(st.sampled_from(["a", "b", "/", "-", ".*", "[^/]*", "(a|b)", "\\."]), max_size=5),
    st.text("ab/-.", max_size=6),
)
def test_globs_match_what_the_pattern_did(parts, path):
    pattern = "".join(parts)
    globs = globs_of(pattern)

    assert globs is not None
    ours = [Glob.of_repositories(glob, where="here") for glob in globs if glob]
    matches = any(glob.match(path) is not None for glob in ours)
    assert not ours or matches == bool(re2.fullmatch(pattern, path))


_WORDS = (
    "sync creds defaults source target type tags allow deny semverRange tagSets repos interval "
    "images images-by-semver images-by-tag-regex credentials username password auth tasks name "
    "mappings from to registry platform schedule docker.io quay.io/acme"
)
_KEYS = st.sampled_from(_WORDS.split())
_VALUES = st.recursive(
    st.none() | st.sampled_from(["a", "1", "x/y", "image", "regex:a", "keep: latest 2", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(FORMATS)), st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_no_file_is_more_than_refused(tmp_path_factory, kind, content):
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(content))

    try:
        found = read_foreign(kind, [file], Options(destination="lab.example.com"))
    except ConfigError:
        return

    tomllib.loads(to_toml(found))


@pytest.mark.parametrize("key", ["type", "source", "target"])
def test_what_an_entry_of_regsync_lacks_is_said_to_be_missing(tmp_path, key):
    entry = {"type": "image", "source": "alpine:3.20", "target": "b.example.com/alpine:3.20"}
    del entry[key]
    file = tmp_path / "regsync.yml"
    file.write_text(json.dumps({"sync": [entry]}))

    with pytest.raises(ConfigError, match=rf"sync\[1\]: {key}: is missing$"):
        read_foreign("regsync", [file], Options())
