"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

Report: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|-",
        help="Write a report as JSON; with - to standard output, which then has nothing else.",
    ),
]

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
