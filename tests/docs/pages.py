"""The pages of the documentation, and the blocks of code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(page for page in sorted(DOCS.rglob("*.md")) if DOCS / "generate" not in page.parents),
]
_FENCE = re.compile(r'^```(\w*)(?: title="([^"]+)")?$')
_EXCUSE = re.compile(r"^<!-- not run: (.+) -->$")


@dataclass(frozen=True)
class Block:
    """A block of code. *file* is what it is to be called; *excuse* says why it is not run."""

    page: str
    line: int
    language: str
    file: str
    code: str
    excuse: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> str:
        """What somebody would type: of a console only what stands behind the prompt."""
        if self.language != "console":
            return self.code
        lines = self.code.splitlines(keepends=True)
        return "".join(line[2:] for line in lines if line.startswith(("$ ", "> ")))


def blocks(page: Path) -> list[Block]:
    """Return the blocks of *page* in their order."""
    return list(_blocks(page))


def _blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text("utf-8").splitlines()
    excuse, number = "", 0
    while number < len(lines):
        line = lines[number]
        if fence := _FENCE.match(line):
            end = lines.index("```", number + 1)
            code = "\n".join(lines[number + 1 : end]) + "\n"
            name = str(page.relative_to(ROOT))
            yield Block(name, number + 1, fence[1], fence[2] or "", code, excuse)
            excuse, number = "", end
        elif said := _EXCUSE.match(line):
            excuse = said[1]
        elif line:
            excuse = ""
        number += 1
