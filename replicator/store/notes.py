"""TagNotes: what is remembered of tags that are not simply in step, for each rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.backoff import Failing
from replicator.planning.content import Refused
from replicator.planning.pruning import Missing
from replicator.store.database import Database
from replicator.store.prepared import statements
from replicator.store.prepared.connection import Connection
from replicator.store.prepared.statement import Prepared
from replicator.store.records import NoteChanges, RuleNotes
from replicator.store.text import storable
from replicator.transfer.gathering import Gathering

_Note = TypeVar("_Note", Failing, Missing, Refused)
_Key: TypeAlias = tuple[RepositoryName, Tag]


class TagNotes:
    """Remembers failing, missing and refused tags of rules."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._questions = Gathering(self._of_rules)

    async def of_rule(self, rule: str) -> RuleNotes:
        """Return all notes on the tags of one rule."""
        return await self._questions.ask(rule)

    async def _of_rules(self, rules: Sequence[str]) -> list[RuleNotes]:
        found = await self._database.ask(statements.RULES_WITH_NOTES, {"rules": rules})
        having_any = frozenset(row.rule for row in found)
        return [await self._of_one(rule) if rule in having_any else RuleNotes() for rule in rules]

    async def _of_one(self, rule: str) -> RuleNotes:
        return RuleNotes(
            await _FAILING.of_rule(self._database, rule),
            await _MISSING.of_rule(self._database, rule),
            await _REFUSED.of_rule(self._database, rule),
        )

    async def failing(self) -> tuple[Failing, ...]:
        """Return the failing tags of all rules, by rule and tag."""
        return tuple(map(_failing, await self._database.ask(statements.ALL_FAILING)))

    async def change(self, rule: str, changes: NoteChanges) -> None:
        """Add, replace and remove notes on the tags of one rule, all or nothing."""
        async with self._database.noting() as connection:
            await _FAILING.change(connection, rule, changes.failing, changes.recovered)
            await _MISSING.change(connection, rule, changes.missing, changes.returned)
            await _REFUSED.change(connection, rule, changes.refused, changes.accepted)


class _Notes(Generic[_Note]):
    """One kind of note: the statements about it, and its value as a row."""

    def __init__(
        self,
        of_rule: Prepared,
        add: Prepared,
        forget: Prepared,
        read: Callable[[Any], _Note],
        write: Callable[[_Note], dict[str, Any]],
    ) -> None:
        self._of_rule, self._add, self._forget = of_rule, add, forget
        self._read: Callable[[Any], _Note] = read
        self._write: Callable[[_Note], dict[str, Any]] = write

    async def of_rule(self, database: Database, rule: str) -> dict[_Key, _Note]:
        notes = map(self._read, await database.ask(self._of_rule, {"of_rule": rule}))
        return {(note.destination, note.tag): note for note in notes}

    async def change(
        self,
        connection: Connection,
        rule: str,
        notes: Sequence[_Note],
        gone: Collection[_Key],
    ) -> None:
        if gone:
            keys = [
                {
                    "of_rule": rule,
                    "at_registry": name.registry,
                    "in_repository": name.path,
                    "of_tag": str(tag),
                }
                for name, tag in gone
            ]
            await connection.execute(self._forget, keys)
        if notes:
            rows = [{**_key(note), **self._write(note)} for note in notes]
            await connection.execute(self._add, rows)


def _key(note: Failing | Missing | Refused) -> dict[str, Any]:
    return {
        "rule": note.rule,
        "registry": note.destination.registry,
        "repository": note.destination.path,
        "tag": str(note.tag),
    }


def _failing(row: Any) -> Failing:
    return Failing(
        RepositoryName(row.registry, row.repository),
        Tag(row.tag),
        row.rule,
        row.source,
        row.failures,
        row.kind,
        row.message,
        row.side,
        row.since,
        row.failed_at,
        row.next_try_at,
        row.run,
    )


def _failing_row(note: Failing) -> dict[str, Any]:
    return {
        "source": note.source,
        "failures": note.failures,
        "kind": note.kind,
        "message": storable(note.message),
        "side": note.side,
        "since": note.since,
        "failed_at": note.failed_at,
        "next_try_at": note.next_try_at,
        "run": note.run,
    }


def _missing(row: Any) -> Missing:
    destination = RepositoryName(row.registry, row.repository)
    return Missing(destination, Tag(row.tag), row.rule, row.since, row.run)


def _missing_row(note: Missing) -> dict[str, Any]:
    return {"since": note.since, "run": note.run}


def _refused(row: Any) -> Refused:
    destination = RepositoryName(row.registry, row.repository)
    digest = Digest.parse(row.source_digest)
    return Refused(destination, Tag(row.tag), row.rule, digest, row.wanted, row.reason)


def _refused_row(note: Refused) -> dict[str, Any]:
    return {
        "source_digest": str(note.source_digest),
        "wanted": note.wanted,
        "reason": storable(note.reason),
    }


_FAILING: Final = _Notes(
    statements.FAILING_OF_RULE,
    statements.NOTE_FAILING,
    statements.FORGET_FAILING,
    _failing,
    _failing_row,
)
_MISSING: Final = _Notes(
    statements.MISSING_OF_RULE,
    statements.NOTE_MISSING,
    statements.FORGET_MISSING,
    _missing,
    _missing_row,
)
_REFUSED: Final = _Notes(
    statements.REFUSED_OF_RULE,
    statements.NOTE_REFUSED,
    statements.FORGET_REFUSED,
    _refused,
    _refused_row,
)
