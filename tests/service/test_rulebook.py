"""The rules of a file and of the database, as one set."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.errors import RuleConflict
from replicator.planning.rule import Rule
from replicator.service.rules.rulebook import Rulebook
from replicator.store.audit_trail import Audit
from replicator.store.database import Database
from replicator.store.rules import Rules
from tests.store.values import a_rule


def rule(name: str) -> Rule:
    """Return a rule that writes where no other does."""
    return replace(a_rule(name), destinations=(f"registry.example.com/{name}/{{repository}}",))


async def written(database: Database, *of_file: Rule) -> int:
    """Bring in a file, and return how many changes the database has seen in all."""
    await Rulebook(Rules(database), of_file).bring_in()
    return len(await Audit(database).page(before=None, limit=100))


@pytest.mark.parametrize(
    "changed",
    [
        (replace(rule("a"), referrers=False), rule("b")),
        (rule("a"),),
        (rule("a"), rule("c")),
        (rule("a"), rule("b"), rule("c")),
        (rule("a"), replace(rule("b"), objective=timedelta(hours=1))),
    ],
    ids=["other option", "one less", "another", "one more", "an objective"],
)
async def test_rules_of_a_file_are_written_when_they_differ_and_only_then(
    database: Database, changed: tuple[Rule, ...]
) -> None:
    first = await written(database, rule("a"), rule("b"))

    assert await written(database, rule("a"), rule("b")) == first
    assert await written(database, *changed) > first
    assert {each.name for each in await Rules(database).all()} == {each.name for each in changed}


async def test_a_rule_made_by_hand_is_in_the_way_of_one_of_a_file(database: Database) -> None:
    await Rules(database).put(rule("a"))

    with pytest.raises(RuleConflict, match="does not come from a file"):
        await Rulebook(Rules(database), [rule("a")]).bring_in()
