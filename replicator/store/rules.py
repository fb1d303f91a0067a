"""Rules: what should be kept in step, as the database has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from replicator.errors import RuleConflict, RuleNotFound
from replicator.planning.rule import Origin, Rule
from replicator.store import notices
from replicator.store.audit import Change, append
from replicator.store.database import Database
from replicator.store.documents import rule_from_document, rule_to_document
from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statements import (
    ADD_RULE,
    ALL_RULES,
    CHANGE_RULE,
    LOCK_RULES,
    REMOVE_RULE,
    RULE,
)


class Rules:
    """Keeps rules, each with a revision that grows with every change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> tuple[Rule, ...]:
        """Return all rules, by name."""
        return tuple(map(rule_from_row, await self._database.ask(ALL_RULES)))

    async def get(self, name: str) -> Rule:
        """Return one rule. Raises RuleNotFound."""
        found = await self._database.ask(RULE, {"of_name": name})
        if not found:
            raise RuleNotFound(f"there is no rule {name!r}")
        return rule_from_row(found[0])

    async def put(self, rule: Rule, expected_revision: int | None = None) -> Rule:
        """Add or change a rule, and return it with its revision.

        The revision of *rule* itself does not count. Raises RuleConflict when
        *expected_revision* is not the one in the database, where 0 means that there must be no
        such rule yet.
        """
        async with self._changing() as (connection, changes):
            present = await _find(connection, rule.name)
            revision = present.revision if present else 0
            if expected_revision not in (None, revision):
                raise RuleConflict(_stale(rule.name, expected_revision, revision))
            return await _store(connection, changes, rule, present)

    async def delete(self, name: str) -> None:
        """Remove a rule; its history stays. Raises RuleNotFound."""
        async with self._changing() as (connection, changes):
            found = await _find(connection, name)
            if found is None:
                raise RuleNotFound(f"there is no rule {name!r}")
            await _remove(connection, changes, found)

    async def replace_file_rules(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Make *rules* the rules that come from a file, all or nothing, and return them.

        Those that were there and are not in the file any more are removed. Raises RuleConflict
        when a rule of that name was made by hand.
        """
        names = {rule.name for rule in rules}
        async with self._changing() as (connection, changes):
            rows = await connection.execute(ALL_RULES)
            present = {found.name: found for found in map(rule_from_row, rows)}
            for name in sorted(names):
                _refuse_made_by_hand(present.get(name))
            for name, found in present.items():
                if found.origin is Origin.FILE and name not in names:
                    await _remove(connection, changes, found)
            of_file = [replace(rule, origin=Origin.FILE) for rule in rules]
            return tuple(
                [
                    await _store(connection, changes, rule, present.get(rule.name))
                    for rule in of_file
                ]
            )

    async def rewrite(
        self, rewrite: Callable[[tuple[Rule, ...]], Sequence[Rule]]
    ) -> tuple[Rule, ...]:
        """Make the rules what *rewrite* makes of them, all or nothing, and return them.

        Nobody changes a rule in between, so what *rewrite* finds good is good. It must be quick,
        and what it raises leaves everything as it was.
        """
        async with self._changing() as (connection, changes):
            rows = await connection.execute(ALL_RULES)
            present = {found.name: found for found in map(rule_from_row, rows)}
            rules = rewrite(tuple(present.values()))
            for name in sorted(present.keys() - {rule.name for rule in rules}):
                await _remove(connection, changes, present[name])
            return tuple(
                [await _store(connection, changes, rule, present.get(rule.name)) for rule in rules]
            )

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[tuple[Connection, list[Change]]]:
        """Begin a transaction in which nobody else changes rules; SQLite's are so by nature.

        What is added to the changes is written down with them.
        """
        async with self._database.noting() as connection:
            await connection.execute(LOCK_RULES)
            changes: list[Change] = []
            yield connection, changes
            await append(connection, changes)
            await notices.tell(connection, notices.RULES)


async def _find(connection: Connection, name: str) -> Rule | None:
    found = await connection.execute(RULE, {"of_name": name})
    return rule_from_row(found[0]) if found else None


async def _remove(connection: Connection, changes: list[Change], rule: Rule) -> None:
    await connection.execute(REMOVE_RULE, {"of_name": rule.name})
    changes.append(Change("delete", "rule", rule.name, old=rule_to_document(rule)))


async def _store(
    connection: Connection, changes: list[Change], rule: Rule, present: Rule | None
) -> Rule:
    """Insert or update *rule* where it differs from *present*."""
    if present is None:
        rule = replace(rule, revision=1)
        await connection.execute(ADD_RULE, _to_row(rule))
        changes.append(Change("create", "rule", rule.name, new=rule_to_document(rule)))
        return rule
    if replace(rule, revision=present.revision) == present:
        return present
    rule = replace(rule, revision=present.revision + 1)
    await connection.execute(CHANGE_RULE, {"of_name": rule.name, **_to_row(rule)})
    documents = rule_to_document(present), rule_to_document(rule)
    changes.append(Change("change", "rule", rule.name, *documents))
    return rule


def _refuse_made_by_hand(present: Rule | None) -> None:
    if present is not None and present.origin is not Origin.FILE:
        raise RuleConflict(
            f"the database has a rule {present.name!r} that does not come from a file; "
            f"rename the one in the file, or run `replicate rule delete {present.name}`"
        )


def _stale(name: str, expected: int | None, revision: int) -> str:
    if expected == 0:
        return f"there is a rule {name!r} already, at revision {revision}"
    now = f"at revision {revision}" if revision else "gone"
    return f"rule {name!r} was changed meanwhile: revision {expected} was edited, it is now {now}"


def _to_row(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "revision": rule.revision,
        "origin": rule.origin.value,
        "enabled": rule.enabled,
        "definition": rule_to_document(rule),
    }


def rule_from_row(row: Any) -> Rule:
    """Read a rule; where a column and the definition differ, the column is right."""
    rule = rule_from_document(row.name, row.definition)
    columns = (row.name, row.revision, Origin(row.origin), row.enabled)
    if (rule.name, rule.revision, rule.origin, rule.enabled) == columns:
        return rule
    name, revision, origin, enabled = columns
    return replace(rule, name=name, revision=revision, origin=origin, enabled=enabled)
