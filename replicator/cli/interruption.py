"""Interruption: a command was ended before it was done."""

from __future__ import annotations

import typer


class Interrupted(typer.Abort):
    """Ctrl-C or SIGTERM ended the work; ``number`` is the signal's.

    ``copies`` says whether images were being copied.
    """

    def __init__(self, number: int, *, copies: bool = False) -> None:
        super().__init__()
        self.number = number
        self.copies = copies
