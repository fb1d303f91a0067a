"""Whatever the document allows, and what it does not, has an answer that the document knows."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.cli.test_tokens import KEY
from tests.e2e.test_serve import config, serving
from tests.support.command import CommandLine
from tests.support.embedded import start_registry, store_image

__all__ = ["start_registry"]

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# 422 also answers what a schema cannot say: a rule that reads what it writes, a cursor of nobody.
SETTINGS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "422", "429"]

[parameters]
"path.run" = "{run}"
"""


@pytest.fixture
def replicate(tmp_path):
    # Many requests take minutes on a busy machine.
    return CommandLine(tmp_path, {"REPLICATOR_SECRET_KEY": KEY}, patience=1800.0)


async def test_a_few_requests_of_all_kinds_keep_to_the_document(replicate, start_registry):
    await keeps_to_the_document(
        replicate, start_registry, "--phases", "fuzzing", "--max-examples", "2"
    )


@pytest.mark.slow
async def test_many_requests_keep_to_the_document(replicate, start_registry):
    await keeps_to_the_document(replicate, start_registry, "--max-examples", "40")


async def keeps_to_the_document(replicate, start_registry, *options):
    """Let schemathesis, with all its checks, ask a service that has rules and runs."""
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    replicate.write_config(config(source, destination))
    await replicate("run")
    run = (await replicate("runs", "list", "--json")).json["runs"][0]["run"]
    token = (await replicate("token", "create", "all", "--role", "admin")).out.strip()
    replicate.write_config(SETTINGS.format(run=run), "schemathesis.toml")

    async with serving(replicate) as log:
        process = await asyncio.create_subprocess_exec(
            *(SCHEMATHESIS, "run", f"{log.url}/api/v1/openapi.json"),
            *("-H", f"Authorization: Bearer {token}", "--generation-database", "none"),
            *("--seed", "1", "--suppress-health-check", "all", "--no-color", *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=replicate.folder,
        )
        out, _ = await process.communicate()

    assert process.returncode == 0, out.decode()[-6000:]
    assert token not in json.dumps(log.lines)
