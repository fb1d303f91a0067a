"""Commands that stand together, and the examples below their help."""

from __future__ import annotations

import sys

import typer

from replicator.cli.exit_codes import USAGE


def group(about: str) -> typer.Typer:
    """Make a group of commands, which shows its help when it is called alone."""
    app = typer.Typer(help=about, invoke_without_command=True, rich_markup_mode=None)
    app.callback()(help_unless_called)
    return app


def help_unless_called(context: typer.Context) -> None:
    """Show the help of a group of which no command was named."""
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(USAGE)


def examples(*lines: str) -> str:
    """Return the end of a help text that shows how a command is used."""
    # The mark keeps the lines from being filled like a paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
