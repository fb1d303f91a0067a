"""Narrator: tells a story on standard output."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from replicator.cli.output import table_lines
from replicator.cli.text import printable

# In characters; longer lines are hard to read, and a pipe has no width of its own.
_WIDEST: Final = 96


class Narrator:
    """Prints headings, sentences, tables and commands; in colour where that is wanted."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._width = min(_WIDEST, shutil.get_terminal_size().columns)

    def chapter(self, heading: str, text: str) -> None:
        """Begin something new, and say what happens and why."""
        self._print("")
        self._print(heading, style="bold")
        for line in textwrap.wrap(text, self._width):
            self._print(line, style="dim")

    def line(self, text: str) -> None:
        self._print(text)

    def command(self, text: str) -> None:
        """Show something to be typed."""
        self._print(f"    {text}", style="cyan")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        for line in table_lines(header, rows):
            self._print(f"  {line}")

    def _print(self, text: str, *, style: str = "") -> None:
        self._console.print(Text(printable(text), style=style))
