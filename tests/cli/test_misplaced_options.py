"""Options of the program itself, where they stand after the command."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ("plan", "--config", "rules.toml"),
            "`--config` belongs before the command: replicate --config FILE plan",
        ),
        (
            ("plan", "--config=rules.toml"),
            "`--config` belongs before the command: replicate --config FILE plan",
        ),
        (
            ("rule", "add", "app", "--database", "sqlite:///x.db"),
            "`--database` belongs before the command: replicate --database URL rule add",
        ),
        (("run", "-v"), "`-v` belongs before the command: replicate -v run"),
        (("run", "--verbose"), "`--verbose` belongs before the command: replicate --verbose run"),
        (
            ("rule", "--config", "rules.toml"),
            "`--config` belongs before the command: replicate --config FILE rule",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_an_option_of_the_program_after_the_command_is_told_its_place(
    replicate, arguments, complaint
):
    done = await replicate(*arguments)

    assert (done.code, done.complaint) == (2, complaint)


@pytest.mark.parametrize("option", ["--confg", "--version"])
async def test_another_unknown_option_is_sent_to_the_help(replicate, option):
    done = await replicate("plan", option)

    assert done.code == 2
    assert done.complaint.startswith(f"No such option: {option}")
    assert done.complaint.endswith("; try `replicate plan --help`")
