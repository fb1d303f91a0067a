"""What is remembered of tags that fail, are missing or were refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.planning.backoff import Failing
from replicator.planning.content import Refused
from replicator.planning.pruning import Missing
from replicator.store.database import Database
from replicator.store.notes import TagNotes
from replicator.store.records import NoteChanges, RuleNotes
from tests.store.values import ALPINE, DEBIAN, HOUR, NOON

FAILING = Failing(
    ALPINE, Tag("3.20"), "base", "docker.io/library/alpine:3.20", 3, "denied", "403 no\0",
    "destination", NOON, NOON + HOUR, NOON + 2 * HOUR, "run-1",
)  # fmt: skip
MISSING = Missing(DEBIAN, Tag("12"), "base", NOON, "run-1")
REFUSED = Refused(ALPINE, Tag("3.21"), "base", Digest.of(b"x"), "size 5", "has 6 B")


@pytest.fixture
def notes(database: Database) -> TagNotes:
    return TagNotes(database)


async def test_notes_are_kept_by_rule_and_tag(notes: TagNotes) -> None:
    await notes.change("base", NoteChanges((FAILING,), (), (MISSING,), (), (REFUSED,), ()))

    kept = await notes.of_rule("base")

    assert kept.failing == {
        (ALPINE, "3.20"): replace(FAILING, message="403 no\N{REPLACEMENT CHARACTER}")
    }
    assert kept.missing == {(DEBIAN, "12"): MISSING}
    assert kept.refused == {(ALPINE, "3.21"): REFUSED}
    assert await notes.of_rule("other") == RuleNotes()


async def test_a_new_note_replaces_the_one_before(notes: TagNotes) -> None:
    await notes.change("base", NoteChanges(failing=[FAILING]))

    await notes.change("base", NoteChanges(failing=[replace(FAILING, failures=4)]))

    (kept,) = (await notes.of_rule("base")).failing.values()
    assert kept.failures == 4


async def test_what_is_well_again_is_forgotten_for_its_rule_alone(notes: TagNotes) -> None:
    other = replace(FAILING, rule="other")
    await notes.change("base", NoteChanges(failing=[FAILING, replace(FAILING, tag=Tag("4"))]))
    await notes.change("other", NoteChanges(failing=[other]))

    await notes.change("base", NoteChanges(recovered=[(ALPINE, Tag("3.20"))]))

    assert set((await notes.of_rule("base")).failing) == {(ALPINE, "4")}
    assert set((await notes.of_rule("other")).failing) == {(ALPINE, "3.20")}
    assert [each.rule for each in await notes.failing()] == ["base", "other"]
