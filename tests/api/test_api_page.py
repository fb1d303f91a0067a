"""Every command of docs/api.md does what the page says."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.cli.test_tokens import KEY
from tests.e2e.test_serve import serving
from tests.support.command import CommandLine, environment

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
CURL = [
    line.removeprefix("$ ")
    for block in BLOCK.findall(PAGE.read_text())
    for line in block.splitlines()
    if line.startswith("$ curl")
]


@pytest.fixture
def replicate(tmp_path):
    return CommandLine(tmp_path, {"REPLICATOR_SECRET_KEY": KEY})


async def shell(replicate, line, **variables):
    process = await asyncio.create_subprocess_shell(
        line.replace("curl -s", "curl -sf", 1),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=replicate.folder,
        env={**environment(replicate.folder, replicate.variables), **variables},
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_the_way_to_a_token(tmp_path):
    replicate = CommandLine(tmp_path)
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "replicate"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m replicator "$@"\n')
    command.chmod(0o755)
    lines = [line.removeprefix("$ ") for line in BLOCK.findall(PAGE.read_text())[0].splitlines()]

    code, out = await shell(
        replicate, "\n".join(lines), PATH=f"{tmp_path}/bin:{os.environ['PATH']}"
    )

    assert code == 0, out
    assert "rplt_" in out


async def test_each_request_of_the_page_is_answered(replicate):
    token = (await replicate("token", "create", "admin", "--role", "admin")).out.strip()
    # The page reads before it writes; here the rule has to be there before its run is followed.
    lines = [line for line in CURL if "/events" not in line]
    async with serving(replicate) as log:
        about = {"TOKEN": token, "API": f"{log.url}/api/v1"}
        for line in lines:
            code, out = await shell(replicate, line, **about)
            assert code == 0, (line, out)
        runs = (await replicate("runs", "list", "--json")).json["runs"]
        await replicate("runs", "cancel", runs[0]["run"])
        (following,) = (line for line in CURL if "/events" in line)
        code, out = await shell(replicate, following, **about, RUN=runs[0]["run"])

    assert code == 0
    assert out.rstrip().endswith("data: {}")
