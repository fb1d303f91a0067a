"""Table: what each registry did in the contract's tests, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_PLACE = r"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->\n)"


def render(results: Mapping[str, Mapping[str, str]]) -> str:
    """Return a row for each registry and a column for each test."""
    columns = list(dict.fromkeys(column for row in results.values() for column in row))
    lines = ["| registry | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for name in sorted(results, key=lambda name: ("(fake)" in name, name)):
        cells = [results[name].get(column, "not tried") for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def insert(page: Path, table: str, mark: str) -> None:
    """Put *table* where *page* has one between comments that say *mark*."""
    place = re.compile(_PLACE.format(mark=mark), re.DOTALL)
    page.write_text(
        place.sub(lambda match: match[1] + "\n" + table + "\n" + match[2], page.read_text())
    )
