"""What bash makes of a line with colons is put together again; a real bash completes it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from replicator.cli.bash_words import Line, join
from tests.support.command import environment

# What an interactive bash is told before anything is typed.
ASK = """
PS1=
bind 'set enable-bracketed-paste off'
bind 'set bell-style none'
bind 'set show-all-if-ambiguous on'
PATH="%s:$PATH"
eval "$(_REPLICATE_COMPLETE=source_bash replicate)"
%s
"""


@pytest.mark.parametrize(
    ("words", "current", "line"),
    [
        (["r", "login", "host", ":", "50"], 4, Line(["r", "login", "host:50"], 2, "host:")),
        (["r", "login", "host", ":"], 3, Line(["r", "login", "host:"], 2, "host:")),
        (["r", "copy", "a", ":", "1", ""], 5, Line(["r", "copy", "a:1", ""], 3, "")),
        (["r", "copy", "oci", ":", "", ""], 4, Line(["r", "copy", "oci:", "", ""], 3, "")),
        (
            ["r", "copy", "a", ":", "1", "::", "2", "b"],
            6,
            Line(["r", "copy", "a:1::2", "b"], 2, "a:1::"),
        ),
        (["r", "login", "host:50"], 2, Line(["r", "login", "host:50"], 2, "")),
        (["r", "list", "--rule", "=", "b"], 4, Line(["r", "list", "--rule=b"], 2, "--rule=")),
        (["r", "list", "--rule", "="], 3, Line(["r", "list", "--rule="], 2, "--rule=")),
        (["r", "a", "=", "b"], 3, Line(["r", "a", "=", "b"], 3, "")),
        ([":", "a"], 1, Line([":a"], 0, ":")),
    ],
)
def test_the_words_of_a_line_are_put_together(words, current, line):
    assert join(words, current) == line


@pytest.fixture
def typed(replicate):
    """Types the start of a line and Tab into a real bash, and returns the line that results."""
    replicate.write_config("""
[registries."registry.example:5000"]
[registries."registry.example:5443"]
[registries."other.example:7000"]
[[rules]]
name = "base-images"
source = "registry.example:5000/base"
destinations = ["other.example:7000/base"]
""")

    async def typed(start, before=""):
        process = await asyncio.create_subprocess_exec(
            *("script", "-qec", "bash --norc --noprofile -i", "/dev/null"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=replicate.folder,
            env=environment(replicate.folder, {"TERM": "dumb"}),
        )
        # Ctrl-A and "echo" make the completed line one that prints itself.
        keys = f"{start}\t\x01echo RESULT \nexit\n"
        out, _ = await process.communicate(
            (ASK % (Path(sys.executable).parent, before) + keys).encode()
        )
        lines = [line for line in out.decode().splitlines() if line.startswith("RESULT ")]
        return lines[-1].removeprefix("RESULT ")

    return typed


@pytest.mark.parametrize(
    ("start", "result"),
    [
        ("replicate login oth", "replicate login other.example:7000"),
        ("replicate login other.example:", "replicate login other.example:7000"),
        ("replicate login registry.example:54", "replicate login registry.example:5443"),
        (
            "replicate registry check registry.example:5",
            "replicate registry check registry.example:5",
        ),
    ],
)
async def test_bash_completes_a_host_with_a_port(typed, start, result):
    assert (await typed(start)).strip() == result


async def test_bash_completes_the_value_of_an_option_behind_its_sign(typed):
    completed = "replicate runs list --rule=base-images"

    assert (await typed("replicate runs list --rule=ba")).strip() == completed
    assert (await typed("replicate runs list --rule=")).strip() == completed


async def test_bash_without_the_colon_among_its_breaks_completes_whole_words(typed):
    before = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}"

    assert (await typed("replicate login registry.example:54", before)).strip() == (
        "replicate login registry.example:5443"
    )
