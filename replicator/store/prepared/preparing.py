"""Writes ``statements.py`` and the schema: `make prepared`.

SQLAlchemy compiles what is in ``sources``; here it is asked what it made of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import JSON, Boolean, ReturnsRows, create_mock_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

from replicator.store import schema_tables
from replicator.store.prepared import statement
from replicator.store.prepared.sources import sources
from replicator.store.prepared.sources.source import Source
from replicator.store.tables import UtcDateTime

_KINDS: Final = {UtcDateTime: statement.MOMENT, JSON: statement.JSON, Boolean: statement.BOOLEAN}

_HEAD: Final = '''"""What SQLite is told; written by `make prepared` from ``sources``."""

from typing import Final

from replicator.store.prepared.statement import Prepared
'''


def written() -> str:
    """Return the text of ``statements.py``."""
    statements = (_written(name, each) for name, each in sorted(sources("sqlite").items()))
    return "\n".join((_HEAD, *statements, _schema()))


def _written(name: str, source: Source) -> str:
    if source.statement is None:
        return f'{name}: Final = Prepared("{name}", "")'
    compiled: Any = source.statement.compile(  # type: ignore[attr-defined]
        dialect=sqlite.dialect(), column_keys=list(source.columns) or None
    )
    sql = " ".join(compiled.string.split())
    parameters = tuple(_parameter(compiled.binds[key]) for key in compiled.positiontup or ())
    columns = tuple(_columns(source.statement))
    return f"{name}: Final = Prepared({name!r}, {sql!r}, {parameters!r}, {columns!r})"


def _parameter(bind: Any) -> tuple[Any, str]:
    if bind.expanding:
        return bind.key, statement.LIST
    if type(bind.value) in (int, str):  # not the symbol of a value that is still to come
        return bind.value, statement.CONSTANT
    kind = _kind(bind.type)
    # SQLite's driver knows what to do with a truth value.
    return bind.key, "" if kind == statement.BOOLEAN else kind


def _columns(source: Any) -> Iterator[tuple[str, str]]:
    for column in cast(ReturnsRows, source).exported_columns:
        yield column.key, _kind(column.type)


def _kind(type_: TypeEngine[Any]) -> str:
    if getattr(type_, "none_as_null", False):
        raise TypeError("JSON that keeps None as NULL: a prepared statement would write null")
    return next((kind for cls, kind in _KINDS.items() if isinstance(type_, cls)), "")


def _schema() -> str:
    """Return what makes the tables of an empty file."""
    made: list[str] = []

    def note(clause: Any, *_: object, **__: object) -> None:
        made.append(str(clause.compile(dialect=sqlite.dialect())).strip())

    schema_tables.create(create_mock_engine("sqlite://", note))
    # A table has its indexes in no order.
    made.sort(key=lambda each: each if " INDEX " in each.partition("(")[0] else "")
    return f"SCHEMA: Final = ({', '.join(map(repr, made))})"


if __name__ == "__main__":
    Path(__file__).with_name("statements.py").write_text(written())
