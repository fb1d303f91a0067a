"""Writes docs/cli.md from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from replicator.cli.main import app

_HEAD = """\
<!-- Made by `make docs-reference` from the commands; do not edit. -->

# Commands

What each command takes. `replicate COMMAND --help` says the same. Options of the program itself
stand before the command, those of a command after it. Results go to standard output, everything
else to standard error.

| exit code | means |
| --- | --- |
| 0 | success, or nothing to do |
| 1 | failed |
| 2 | the command line or the configuration cannot be used |
| 3 | partial: some tags failed, are blocked or were deferred |
| 4 | a rule selected nothing |
| 130, 143 | ended by Ctrl-C or SIGTERM |
"""


def page() -> str:
    """Return the page."""
    command = get_command(app)
    context = command.context_class(command, info_name="replicate")
    parts = [_HEAD, "## The program\n", _parameters(command, context)]
    for child, name in _commands(command, context):
        parts.append(_section(child, name))
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


# Typer brings a click of its own, whose types have no public name; hence Any.
def _commands(command: Any, context: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each command below *command*, a group before what it holds."""
    for name, found in getattr(command, "commands", {}).items():
        child = found.context_class(found, info_name=name, parent=context)
        yield child, found
        yield from _commands(found, child)


def _section(context: Any, command: Any) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"## {context.command_path}", "", _text(command.help or ""), ""]
    if not hasattr(command, "commands"):
        lines += ["```text", f"{context.command_path} {usage}", "```", ""]
        lines += [_parameters(command, context), "", _examples(command)]
    return "\n".join(lines)


def _parameters(command: Any, context: Any) -> str:
    rows = [
        record
        for parameter in command.get_params(context)
        if (record := _row(parameter, context)) and "--help" not in parameter.opts
    ]
    if not rows:
        return ""
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _row(parameter: Any, context: Any) -> str:
    record = parameter.get_help_record(context)
    if record is None:
        return ""
    name, about = (_cell(text) for text in record)
    # In a code span everything stands for itself.
    return f"| `{name}` | {about.replace('<', '&lt;')} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def _text(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(re.sub(r"\s+", " ", paragraph) for paragraph in paragraphs)


def _examples(command: Any) -> str:
    if not command.epilog:
        return ""
    lines = command.epilog.replace("\b", "").strip().splitlines()[1:]
    return "\n".join(["```text", *(line.strip() for line in lines), "```"])
