"""A prepared statement, and how its values go into SQLite and come out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from replicator.errors import StoreError

# Values by parameter's name: of one execution, or of many.
Values: TypeAlias = dict[str, Any] | Sequence[dict[str, Any]]
NONE: Final[Values] = {}

MOMENT: Final = "moment"
JSON: Final = "json"
BOOLEAN: Final = "boolean"
# A parameter that is a list: as many question marks as it has members.
LIST: Final = "list"
# A parameter that the statement itself gives a value.
CONSTANT: Final = "constant"


class Prepared:
    """A statement by name: the SQL for SQLite, its parameters and its columns, each with a kind.

    *sql* is empty for what only a server has to be told, such as to lock a table.
    """

    __slots__ = ("_columns", "_lists", "_parameters", "_places", "name", "sql")

    def __init__(
        self,
        name: str,
        sql: str,
        parameters: Sequence[tuple[Any, str]] = (),
        columns: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.name = name
        self.sql = sql
        self._parameters = parameters
        self._lists = tuple(key for key, kind in parameters if kind == LIST)
        self._columns = tuple(
            (place, _READ[kind]) for place, (_, kind) in enumerate(columns) if kind in _READ
        )
        self._places = {column: place for place, (column, _) in enumerate(columns)}

    @property
    def returns_rows(self) -> bool:
        """Whether it has columns."""
        return bool(self._places)

    def sql_for(self, values: Mapping[str, Any]) -> str:
        """Return the SQL, with as many question marks as *values* has members of lists."""
        sql = self.sql
        for key in self._lists:
            sql = sql.replace(list_marker(key), ", ".join("?" * len(values[key])))
        return sql

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """Return what goes into SQLite, in the order of the question marks."""
        bound: list[Any] = []
        for key, kind in self._parameters:
            if kind == LIST:
                bound.extend(values[key])
            elif kind in _WRITE:
                bound.append(_WRITE[kind](values[key]))
            else:
                bound.append(values[key] if kind != CONSTANT else key)
        return bound

    def read(self, found: Sequence[Any]) -> Row:
        """Return a row of which SQLite gave the values *found*."""
        if self._columns:
            found = list(found)
            for place, read in self._columns:
                found[place] = read(found[place])
        return Row(self._places, found)


class Row:
    """A row as SQLAlchemy's: its values by name, by number, or one after the other."""

    __slots__ = ("_places", "_values")

    def __init__(self, places: Mapping[str, int], values: Sequence[Any]) -> None:
        self._places = places
        self._values = values

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[self._places[name]]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, place: int) -> Any:
        return self._values[place]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def list_marker(parameter: str) -> str:
    """Return what stands for a list in SQL that SQLAlchemy has compiled."""
    return f"__[POSTCOMPILE_{parameter}]"


def _write_moment(value: datetime | None) -> str | None:
    """Write a time as SQLAlchemy does: in UTC, without saying so. Raises StoreError."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise StoreError(f"the time {value} has no zone")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _read_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def _read_json(found: str | float | None) -> Any:
    # SQLite makes a number of a text that is one, as it does not know the type JSON.
    return json.loads(found) if isinstance(found, str) else found


def _read_boolean(number: int | None) -> bool | None:
    return None if number is None else bool(number)


_WRITE: Final[Mapping[str, Callable[[Any], Any]]] = {MOMENT: _write_moment, JSON: json.dumps}
_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    MOMENT: _read_moment,
    JSON: _read_json,
    BOOLEAN: _read_boolean,
}
