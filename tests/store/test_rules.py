"""Rules: kept whole, with a revision that tells about changes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import RuleConflict, RuleNotFound, StoreError
from replicator.oci.platform import Platform
from replicator.planning.rule import (
    Order,
    Origin,
    Overwrite,
    Prune,
    RepositorySelection,
    Rule,
    TagSelection,
)
from replicator.store.database import Database
from replicator.store.documents import rule_from_document, rule_to_document
from replicator.store.rules import Rules
from tests.store.values import a_rule


@pytest.fixture
def rules(database: Database) -> Rules:
    return Rules(database)


async def test_a_rule_is_kept_whole(rules: Rules) -> None:
    rule = Rule(
        "base-images",
        "docker.io/library/*",
        ("registry.example.com/hub/{repository}", "quay.io/acme/{name}"),
        repositories=RepositorySelection(("alpine", "debian"), ("*-test",)),
        tags=TagSelection(
            include=("3.*",),
            exclude_regex=(".*-rc.*",),
            semver=">=3.18",
            latest=5,
            order=Order.CREATED,
            newer_than=timedelta(days=30),
        ),
        platforms=(Platform("linux", "amd64"), Platform("linux", "arm", "v7")),
        overwrite=Overwrite.IF_OURS,
        prune=Prune.MIRROR,
        prune_after=timedelta(minutes=90),
        schedule="0 3 * * *",
        timezone="Asia/Shanghai",
        enabled=False,
    )

    await rules.put(rule)

    assert await rules.get("base-images") == rule


async def test_rules_are_listed_by_name(rules: Rules) -> None:
    for name in ("c", "a", "b"):
        await rules.put(a_rule(name))

    assert [rule.name for rule in await rules.all()] == ["a", "b", "c"]


async def test_the_revision_grows_with_a_change_and_only_then(rules: Rules) -> None:
    first = await rules.put(a_rule())
    same = await rules.put(replace(a_rule(), revision=99))
    changed = await rules.put(replace(a_rule(), referrers=False))

    assert [first.revision, same.revision, changed.revision] == [1, 1, 2]
    assert await rules.get("base-images") == changed


async def test_an_edit_of_a_stale_revision_is_refused(rules: Rules) -> None:
    await rules.put(a_rule())
    await rules.put(replace(a_rule(), referrers=False), expected_revision=1)

    with pytest.raises(RuleConflict, match="revision 1 was edited, it is now at revision 2"):
        await rules.put(replace(a_rule(), enabled=False), expected_revision=1)

    assert (await rules.get("base-images")).enabled


async def test_a_rule_meant_to_be_new_is_not_written_over_another(rules: Rules) -> None:
    await rules.put(a_rule(), expected_revision=0)

    with pytest.raises(RuleConflict, match="there is a rule 'base-images' already"):
        await rules.put(a_rule(), expected_revision=0)


async def test_an_edit_of_a_rule_that_was_deleted_is_refused(rules: Rules) -> None:
    with pytest.raises(RuleConflict, match="it is now gone"):
        await rules.put(a_rule(), expected_revision=3)


async def test_a_rule_that_is_not_there_cannot_be_read_or_deleted(rules: Rules) -> None:
    await rules.put(a_rule())
    await rules.delete("base-images")

    with pytest.raises(RuleNotFound, match="there is no rule 'base-images'"):
        await rules.get("base-images")
    with pytest.raises(RuleNotFound, match="there is no rule 'base-images'"):
        await rules.delete("base-images")


async def test_rules_of_a_file_come_go_and_change_with_it(rules: Rules) -> None:
    await rules.put(a_rule("by-hand"))
    await rules.replace_file_rules([a_rule("kept"), a_rule("dropped"), a_rule("changed")])

    stored = await rules.replace_file_rules(
        [a_rule("kept"), replace(a_rule("changed"), enabled=False), a_rule("new")]
    )

    assert [(rule.name, rule.revision, rule.origin) for rule in stored] == [
        ("kept", 1, Origin.FILE),
        ("changed", 2, Origin.FILE),
        ("new", 1, Origin.FILE),
    ]
    names = [rule.name for rule in await rules.all()]
    assert names == ["by-hand", "changed", "kept", "new"]


async def test_a_file_does_not_take_a_rule_made_by_hand_and_changes_nothing_then(
    rules: Rules,
) -> None:
    by_hand = await rules.put(a_rule("by-hand"))
    before = await rules.replace_file_rules([a_rule("from-file")])

    with pytest.raises(RuleConflict, match="a rule 'by-hand' that does not come from a file"):
        await rules.replace_file_rules([a_rule("new"), a_rule("by-hand")])

    assert await rules.all() == (by_hand, *before)


async def test_many_who_bring_the_same_file_at_once_agree(database_url: str) -> None:
    async with (
        await Database.open(database_url, upgrade=True) as one,
        await Database.open(database_url, upgrade=True) as other,
    ):
        rules = [a_rule("a"), a_rule("b")]

        stored = await asyncio.gather(
            *(Rules(database).replace_file_rules(rules) for database in (one, other) * 5)
        )

    assert [rule.revision for each in stored for rule in each] == [1] * 20


durations = st.timedeltas(timedelta(0), timedelta(days=9999))
texts = st.text(max_size=20)
many_texts = st.lists(texts, max_size=3).map(tuple)
any_rule = st.builds(
    Rule,
    name=texts,
    source=texts,
    destinations=many_texts,
    repositories=st.builds(RepositorySelection, many_texts, many_texts),
    tags=st.builds(
        TagSelection,
        include=many_texts,
        semver=texts,
        latest=st.none() | st.integers(1, 2**53),
        newer_than=st.none() | durations,
        order=st.sampled_from(Order),
    ),
    platforms=st.lists(st.builds(Platform, texts, texts, texts), max_size=2).map(tuple),
    overwrite=st.sampled_from(Overwrite),
    prune_after=durations,
)


@given(any_rule)
def test_a_rule_survives_the_way_through_json(rule: Rule) -> None:
    document = json.loads(json.dumps(rule_to_document(rule)))

    assert rule_from_document("any", document) == rule


def test_a_document_of_another_version_is_read_as_far_as_it_is_known() -> None:
    document = {
        "name": "old",
        "source": "docker.io/library/alpine",
        "destinations": ["registry.example.com/alpine"],
        "a_field_of_the_future": 1,
    }

    rule = rule_from_document("old", document)

    expected = Rule("old", "docker.io/library/alpine", ("registry.example.com/alpine",))
    assert rule == expected


def test_a_damaged_document_is_an_error_with_the_rules_name() -> None:
    with pytest.raises(StoreError, match="rule 'broken' in the database cannot be read"):
        rule_from_document("broken", {"name": "broken"})
