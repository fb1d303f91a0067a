"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from replicator.cli.completion import complete_registries, complete_runs

Report: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|-",
        help="Write a report as JSON; with - to standard output, which then has nothing else.",
    ),
]

Detach: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--detach", help="Leave it to `replicate serve` on this database, and do not wait."
    ),
]

Host: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="HOST",
        help="The registry, as references have it.",
        autocompletion=complete_registries,
    ),
]

Run: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Id of the run, or the beginning of it.",
        autocompletion=complete_runs,
    ),
]

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Username: TypeAlias = Annotated[
    str, typer.Option("-u", "--username", metavar="NAME", help="Asked for if left out.")
]

PasswordStdin: TypeAlias = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
