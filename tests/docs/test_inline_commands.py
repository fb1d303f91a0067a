"""Commands within a sentence, and the examples of docs/cli.md, exist with their options."""

from __future__ import annotations

import re
import shlex

import pytest
from typer.main import get_command

from replicator.cli.main import app
from tests.docs.pages import PAGES, ROOT, blocks

_INLINE = re.compile(r"`(replicate(?: [^`\n]+)?)`")
PROGRAM = get_command(app)


def commands(page) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found = _INLINE.findall(text)
    for block in blocks(page):
        if block.excuse or page.name == "cli.md":
            found += re.findall(r"^(?:\$ )?(replicate [^|#\n]+)", block.code, re.MULTILINE)
    return sorted(set(found))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_that_is_named_exists(page):
    assert [line for line in commands(page) if complaint(line)] == []


def complaint(line: str) -> str:
    """Return what is wrong with a command line; which values it takes is not looked at."""
    command, words = PROGRAM, shlex.split(re.sub(r"[…\[\]]", " ", line))
    options = _options(command)
    for word in words[1:]:
        if word.startswith("-") and word != "-":
            if word.split("=")[0] not in options:
                return f"{word} is no option"
        elif word in getattr(command, "commands", {}):
            command = command.commands[word]
            options |= _options(command)
        elif hasattr(command, "commands") and not options & set(words) and command is not PROGRAM:
            return f"{word} is no command of {command.name}"
        elif command is PROGRAM and word.islower() and not _is_value(word, words, options):
            return f"there is no command {word}"
    return ""


def _options(command) -> set[str]:
    return {"--help", "-h"} | {
        name for each in command.params for name in (*each.opts, *each.secondary_opts)
    }


def _is_value(word: str, words: list[str], options: set[str]) -> bool:
    before = words[words.index(word) - 1]
    return before in options - {"-v", "--verbose", "--version"}
