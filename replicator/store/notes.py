"""TagNotes: what is remembered of tags that are not simply in step, for each rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar

from sqlalchemy import Table, bindparam, delete, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.backoff import Failing
from replicator.planning.content import Refused
from replicator.planning.pruning import Missing
from replicator.store.database import Database
from replicator.store.records import NoteChanges, RuleNotes
from replicator.store.tables import failing_tag, missing_tag, refused_tag
from replicator.store.text import storable
from replicator.store.upsert import upsert
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
        async with self._database.reading() as connection:
            query = await connection.scalars(_HAVING_ANY, {"rules": rules})
            having_any = frozenset(query.all())
            return [
                await _of_rule(connection, rule) if rule in having_any else RuleNotes()
                for rule in rules
            ]

    async def failing(self) -> tuple[Failing, ...]:
        """Return the failing tags of all rules, by rule and tag."""
        columns = failing_tag.c
        query = select(failing_tag).order_by(
            columns.rule, columns.registry, columns.repository, columns.tag
        )
        async with self._database.reading() as connection:
            return tuple(map(_failing, await connection.execute(query)))

    async def change(self, rule: str, changes: NoteChanges) -> None:
        """Add, replace and remove notes on the tags of one rule, all or nothing."""
        async with self._database.writing() as connection:
            await _FAILING.change(connection, rule, changes.failing, changes.recovered)
            await _MISSING.change(connection, rule, changes.missing, changes.returned)
            await _REFUSED.change(connection, rule, changes.refused, changes.accepted)


async def _of_rule(connection: AsyncConnection, rule: str) -> RuleNotes:
    return RuleNotes(
        await _FAILING.of_rule(connection, rule),
        await _MISSING.of_rule(connection, rule),
        await _REFUSED.of_rule(connection, rule),
    )


class _Notes(Generic[_Note]):
    """One kind of note: its table, and its value as a row."""

    def __init__(
        self, table: Table, read: Callable[[Any], _Note], write: Callable[[_Note], dict[str, Any]]
    ) -> None:
        self._table = table
        self._read: Callable[[Any], _Note] = read
        self._write: Callable[[_Note], dict[str, Any]] = write

    async def of_rule(self, connection: AsyncConnection, rule: str) -> dict[_Key, _Note]:
        query = select(self._table).where(self._table.c.rule == rule)
        notes = map(self._read, await connection.execute(query))
        return {(note.destination, note.tag): note for note in notes}

    async def change(
        self,
        connection: AsyncConnection,
        rule: str,
        notes: Sequence[_Note],
        gone: Collection[_Key],
    ) -> None:
        columns = self._table.c
        if gone:
            forget = delete(self._table).where(
                columns.rule == rule,
                columns.registry == bindparam("at_registry"),
                columns.repository == bindparam("in_repository"),
                columns.tag == bindparam("of_tag"),
            )
            keys = [
                {"at_registry": name.registry, "in_repository": name.path, "of_tag": str(tag)}
                for name, tag in gone
            ]
            await connection.execute(forget, keys)
        if notes:
            rows = [{**_key(note), **self._write(note)} for note in notes]
            await connection.execute(upsert(connection, self._table), rows)


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


# Most rules have none of any kind, and all three are asked about with one statement.
_HAVING_ANY: Final = union(
    *(
        select(table.c.rule).where(table.c.rule.in_(bindparam("rules", expanding=True)))
        for table in (failing_tag, missing_tag, refused_tag)
    )
)

_FAILING: Final = _Notes(failing_tag, _failing, _failing_row)
_MISSING: Final = _Notes(missing_tag, _missing, _missing_row)
_REFUSED: Final = _Notes(refused_tag, _refused, _refused_row)
