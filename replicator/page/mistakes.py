"""Mistakes: what is wrong with a text that somebody has edited, shown at its place."""

from __future__ import annotations

import re
from typing import Final

from replicator.errors import ReplicatorError
from replicator.values import dataclass

# What messages of the readers call the text; they begin with it.
TEXT: Final = "text"
_SYNTAX: Final = re.compile(rf"{TEXT}:(\d+)(?::(\d+))?: ")
_FIELD: Final = re.compile(
    r'(?:rule "[^"]*": |rules\[\d+\]: |registries\."[^"]*"\.)([a-z_]+)(?:\.([a-z_]+))?[^:]*: '
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a text, and in which line, counted from 1; None where no line has it."""

    message: str
    line: int | None
    text: str = ""


def mistake(text: str, error: ReplicatorError) -> Mistake:
    """Find the place of what *error* is about."""
    message, lines = str(error), text.splitlines()
    if found := _SYNTAX.match(message):
        line = min(int(found[1]), len(lines)) or None
        return Mistake(message[found.end() :], line, lines[line - 1] if line else "")
    message = message.removeprefix(f"{TEXT}: ")
    if field := _FIELD.search(message):
        for name in (field[2], field[1]):
            line = _line_of(name, lines) if name else None
            if line is not None:
                return Mistake(message, line, lines[line - 1])
    return Mistake(message, None)


def _line_of(name: str, lines: list[str]) -> int | None:
    """Return the line in which a key is given a value, by itself or within a table."""
    assigned = re.compile(rf"(?:^|[{{,.\s]){re.escape(name)}\s*=|^\[\[?[a-z_.]*{re.escape(name)}\]")
    return next((n for n, line in enumerate(lines, start=1) if assigned.search(line)), None)
