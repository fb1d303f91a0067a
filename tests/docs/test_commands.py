"""Every command of the documentation does what the page says, on registries of the test."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks
from tests.docs.stage import Stage
from tests.support.command import environment
from tests.support.postgres import program

_PATIENCE = 120.0  # seconds
# Pages whose commands other tests run.
ELSEWHERE = {
    "docs/api.md": "tests/api/test_api_page.py",
    "docs/cli.md": "tests/docs/test_cli_examples.py",
}
# Why a command of the pages may not be run here, and how many blocks of each kind there are.
EXCUSES = {
    "it builds or tests this project": 5,
    "it needs a vendor's cloud": 4,
    "it needs a cluster": 8,
}
ANOTHER_TEST = re.compile(r"(tests/\S+\.py) does")
WITH_COMMANDS = [
    page
    for page in PAGES
    if str(page.relative_to(ROOT)) not in ELSEWHERE
    and any(block.language in ("sh", "console") and not block.excuse for block in blocks(page))
]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: str(page.relative_to(ROOT)))
async def test_each_command_of_the_page_works(page, stage):
    code, out = await run(blocks(page), stage)

    assert code == 0, out


@pytest.mark.parametrize(
    "commands", ["replicate no-such-command\nreplicate --version", "replicate db current | false"]
)
async def test_a_command_that_does_not_work_is_found(commands, stage):
    wrong = Block("a page", 1, "sh", "", f"{commands}\n", "")

    code, out = await run([wrong], stage)

    assert code != 0
    assert "failed: " in out


def test_few_commands_are_not_run_and_each_says_why():
    excused = [
        block.excuse
        for page in PAGES
        for block in blocks(page)
        if block.language in ("sh", "console") and block.excuse
    ]

    assert {why for why in excused if not ANOTHER_TEST.fullmatch(why)} <= set(EXCUSES)
    assert {why: excused.count(why) for why in EXCUSES if excused.count(why) > EXCUSES[why]} == {}


def test_what_is_run_elsewhere_is_run_there():
    for page, test in ELSEWHERE.items():
        assert Path(page).name in (ROOT / test).read_text(), page


def test_what_other_tests_are_said_to_run_is_there():
    for page in PAGES:
        for block in blocks(page):
            if named := ANOTHER_TEST.fullmatch(block.excuse):
                text = (ROOT / named[1]).read_text()
                words = re.findall(r"^(?:\$ )?replicate (\w+) (\w+)", block.code, re.MULTILINE)
                assert words
                for pair in words:
                    assert '"{}", "{}"'.format(*pair) in text, (str(block), pair)


async def run(page: list[Block], stage: Stage) -> tuple[int | None, str]:
    """Run the commands of a page in their order; return the exit code, and what they said."""
    variables = stage.set_up()
    environ = environment(stage.folder, variables)
    programs = (stage.folder / "bin", program("pg_dump").parent)
    environ["PATH"] = os.pathsep.join((*map(str, programs), environ["PATH"]))
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", stage.script(page, variables["PORT"]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=stage.folder,
        env=environ,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_PATIENCE):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
        _end_services(stage.folder / "pids")
    return process.returncode, out.decode()


def _end_services(file: Path) -> None:
    """End what the page started with `replicate serve`; each has written down its number."""
    for line in file.read_text().split() if file.exists() else ():
        try:
            os.kill(int(line), signal.SIGTERM)
        except ProcessLookupError:
            continue
