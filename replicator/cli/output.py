"""What results look like on standard output: sizes, times, tables and JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from replicator.cli.text import printable
from replicator.errors import ConfigError

STDOUT = "-"


def table_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table, each column as wide as it has to be; none without rows."""
    cells = [tuple(printable(str(value)) for value in row) for row in rows]
    if not cells:
        return
    table = [tuple(header), *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        yield line.rstrip()


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table of text."""
    for line in table_lines(header, rows):
        print(line)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print names and values below each other; a field of no value is left out."""
    shown = [(name, printable(str(value))) for name, value in fields if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name.ljust(width)}  {value}")


def print_json(value: Any) -> None:
    """Print *value* for programs."""
    print(_json(value), end="")


def check_report(target: str | None) -> None:
    """Make sure, before any work is done, that a report can be written to *target*.

    Raises ConfigError.
    """
    if target is None or target == STDOUT:
        return
    path = Path(target)
    writable = path if path.exists() else path.absolute().parent
    if path.is_dir() or not writable.exists() or not os.access(writable, os.W_OK):
        raise ConfigError(f"--report {target}: no file can be written there")


def write_report(value: Any, target: str) -> None:
    """Write *value* to a file, or to standard output when *target* is ``-``.

    Raises ConfigError when the file cannot be written.
    """
    if target == STDOUT:
        print_json(value)
        return
    try:
        Path(target).write_text(_json(value), "utf-8")
    except OSError as error:
        raise ConfigError(f"--report {target}: {error.strerror}") from error


def time_json(moment: datetime | None) -> str | None:
    """Return a time as JSON has it."""
    return None if moment is None else moment.isoformat()


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
