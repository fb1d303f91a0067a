"""Rules in files: what is written reads the same, and YAML has no surprises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.config.rule_file import read_rule_file, rule_table, to_toml, to_yaml
from replicator.config.rules import read_rule
from replicator.errors import ConfigError
from replicator.oci.platform import Platform
from replicator.planning.rule import (
    Order,
    Overwrite,
    Prune,
    RepositorySelection,
    Rule,
    TagSelection,
)

RULE = Rule("app", "quay.io/team/app", ("registry.example.com/app",))
FULL = replace(
    RULE,
    source="quay.io/team/*",
    repositories=RepositorySelection(("a", "b"), ("b-*",)),
    tags=TagSelection(
        include=("1.*", "off"),
        semver=">=1",
        prerelease=True,
        latest=3,
        order=Order.CREATED,
        newer_than=timedelta(days=90),
        labels=('team="core"\x7f',),
        max_size=3 * 1024**2,
    ),
    platforms=(Platform("linux", "arm", "v7"),),
    overwrite=Overwrite.IF_OURS,
    prune=Prune.MIRROR,
    prune_after=timedelta(hours=36, milliseconds=1),
    schedule="0 3 * * *",
    enabled=False,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def test_only_what_is_not_a_default_is_written():
    assert to_toml([RULE]) == (
        '[[rules]]\nname = "app"\nsource = "quay.io/team/app"\n'
        'destinations = ["registry.example.com/app"]\n'
    )


@pytest.mark.parametrize(("write", "ending"), [(to_toml, "toml"), (to_yaml, "yaml")])
def test_what_is_written_reads_the_same(tmp_path, write, ending):
    file = tmp_path / f"rules.{ending}"
    file.write_text(write([RULE, replace(FULL, name="full")]), "utf-8")

    assert read_rule_file(file) == (RULE, replace(FULL, name="full"))


@given(TEXT, st.lists(TEXT), st.timedeltas(timedelta(0), timedelta(days=9000)))
def test_any_text_and_any_duration_survive(tmp_path_factory, text, texts, duration):
    whole = timedelta(milliseconds=duration // timedelta(milliseconds=1))
    rule = replace(
        RULE, source=text, tags=TagSelection(include=tuple(texts)), prune_after=whole, name="n"
    )
    folder = tmp_path_factory.getbasetemp()

    for write, ending in ((to_toml, "toml"), (to_yaml, "yaml")):
        file = folder / f"any.{ending}"
        file.write_bytes(write([rule]).encode())
        assert read_rule_file(file) == (rule,)
    assert read_rule(rule_table(rule)) == rule


def test_yaml_takes_words_for_words(tmp_path):
    file = tmp_path / "rules.yml"
    file.write_text(
        "rules:\n"
        "- name: app\n"
        "  source: quay.io/team/app\n"
        "  destinations: [registry.example.com/app]\n"
        "  prune: off\n"
        "  referrers: false\n"
        "  tags: {include: [on, 2024-01-01, 1_0, v1], latest: 5}\n"
    )

    (rule,) = read_rule_file(file)

    assert rule.prune is Prune.OFF
    assert rule.referrers is False
    assert rule.tags == TagSelection(include=("on", "2024-01-01", "1_0", "v1"), latest=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules:\n- name: a\n  name: b\n", '3:3: "name" is there twice'),
        ("rules: [1\n", "2:1: expected ',' or ']', but got '<stream end>'"),
        ("- name: a\n", ": expected a table, got a list"),
        (
            "rules:\n- name: a\n  tags: {include: [3.20]}\n",
            "expected text in quotes, got the number",
        ),
        ("rules:\n- name: a\n  sorce: x\n", 'rule "a": sorce: unknown key; did you mean "source"?'),
        ("rules: !!python/object/apply:os.system [x]\n", "could not determine a constructor"),
        ("\tx", "found character"),
        ("rules: \x07", "is not YAML"),
    ],
)
def test_a_bad_file_is_shown_where_it_is_bad(tmp_path, text, message):
    file = tmp_path / "rules.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError) as failure:
        read_rule_file(file)

    assert message in str(failure.value)
    assert str(failure.value).startswith(f"{file}:")
