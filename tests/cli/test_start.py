"""How commands start: what they load, how they help, and how they end."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest
from typer.main import get_command

from replicator import __version__
from replicator.cli.main import app
from tests.support.command import environment
from tests.support.embedded import store_image

# What only failures and logins need.
UNLIKELY = ("replicator.registry.challenges", "replicator.config.toml_hints")
HEAVY = ("httpx", "sqlalchemy", "alembic", "rich", "asyncio", "starlette", "pydantic", "structlog")


def commands(group, *before):
    """Yield the names of all commands, those in groups with the group's name before theirs."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield " ".join((*before, name))


async def loaded(replicate, *arguments):
    """Run a command and return what it has imported."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "importtime", "-m", "replicator", *arguments),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=replicate.folder,
        env=environment(replicate.folder, {}),
    )
    _, err = await process.communicate()
    assert process.returncode == 0, err
    return set(re.findall(r"^import time:.*\| +(\S+)$", err.decode(), re.MULTILINE))


async def test_the_version_is_told_and_loads_nothing_heavy(replicate):
    done = await replicate("--version")

    assert done.out == f"replicate {__version__}\n"
    names = await loaded(replicate, "--version")
    assert names.isdisjoint(HEAVY)
    assert names.isdisjoint({"replicator.cli.run", "replicator.cli.copy", "replicator.cli.rules"})


async def test_a_copy_loads_no_database_and_no_bars(replicate, start_registry):
    registry = await start_registry()
    store_image(registry.storage, "app", "1")

    names = await loaded(replicate, "copy", f"{registry.host}/app:1", "oci:copy")

    assert "httpx" in names
    for heavy in ("sqlalchemy", "alembic", "rich", "click", "starlette", "pydantic", "zoneinfo"):
        assert heavy not in names
    assert names.isdisjoint(UNLIKELY)
    assert names.isdisjoint({"replicator.cli.run", "replicator.cli.rules", "replicator.cli.serve"})


async def test_a_run_loads_what_its_rule_needs_and_no_more(replicate, start_registry):
    registry = await start_registry()
    store_image(registry.storage, "app", "1")
    replicate.write_config(f"""
[registries."{registry.host}"]
plain_http = true

[[rules]]
name = "app"
source = "{registry.host}/app"
destinations = ["{registry.host}/copy"]
""")
    await replicate("run")

    names = await loaded(replicate, "run")

    assert {"httpx", "sqlite3"} <= names
    assert names.isdisjoint(
        {
            # What is asked of a file is prepared.
            *("sqlalchemy", "aiosqlite", "alembic", "replicator.store.tables"),
            # What reads schedules, windows, ranges of versions and regular expressions.
            *("zoneinfo", "re2", "replicator.planning.schedule", "replicator.planning.windows"),
            *("replicator.planning.ranges", "replicator.planning.versions"),
            # Other commands, the page and its API, clouds and trials.
            *("replicator.cli.copy", "replicator.cli.rules", "replicator.api", "replicator.page"),
            *("replicator.registry.cloud.keychain", "replicator.registry.trials"),
            *("click", "rich", "cryptography", "opentelemetry", "prometheus_client"),
            # What copies images, reads them, carries out plans and finds what has gone.
            *("replicator.transfer.copy", "replicator.transfer.graph"),
            *("replicator.service.running.plan_run", "replicator.service.looking.verifying"),
            *("replicator.service.running.content_check", "replicator.service.looking.estimating"),
            # What failures need, logins, and names of hosts that are not in ASCII.
            *UNLIKELY,
            "encodings.idna",
        }
    )


async def test_the_history_loads_nothing_that_speaks_to_registries(replicate):
    await replicate("db", "upgrade")

    names = await loaded(replicate, "runs", "list")

    assert names.isdisjoint({"httpx", "uvloop", "alembic", "rich"})


@pytest.mark.parametrize("command", list(commands(get_command(app))))
async def test_every_command_has_help_with_examples(replicate, command):
    done = await replicate(*command.split(), "--help")

    assert done.code == 0
    assert f"Usage: replicate {command}" in done.out
    assert re.search(r"Examples:\n    (\S+ \| )?replicate ", done.out)


@pytest.mark.parametrize("arguments", [(), ("runs",), ("rule",), ("registry",), ("db",)])
async def test_a_group_alone_shows_its_commands_and_is_a_usage_error(replicate, arguments):
    done = await replicate(*arguments)

    assert (done.code, done.out) == (2, "")
    assert "Commands:" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion_for(replicate, shell):
    replicate.variables["_REPLICATE_COMPLETE"] = f"source_{shell}"

    done = await replicate()

    assert done.code == 0
    assert "_REPLICATE_COMPLETE" in done.out


async def completed(replicate, line):
    """Return what bash would offer at the end of *line*."""
    words = line.split(" ")
    replicate.variables.update(
        _REPLICATE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1)
    )
    done = await replicate()
    for name in ("_REPLICATE_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        del replicate.variables[name]
    assert done.err == ""
    return done.out.split()


async def test_names_of_rules_registries_and_runs_are_completed(replicate, start_registry):
    registry = await start_registry()
    store_image(registry.storage, "app", "1")
    replicate.write_config(f"""
[registries."registry.example.com"]

[[rules]]
name = "base-images"
source = "{registry.host}/app"
destinations = ["oci:copy"]

[[rules]]
name = "charts"
source = "{registry.host}/charts"
destinations = ["oci:charts"]
""")
    await replicate("run", "base-images")
    run = (await replicate("runs", "list", "--json")).json["runs"][0]["run"]

    assert await completed(replicate, "replicate run ") == ["base-images", "charts"]
    assert await completed(replicate, "replicate plan ch") == ["charts"]
    assert await completed(replicate, "replicate run charts ") == ["base-images"]
    assert await completed(replicate, "replicate rule show b") == ["base-images"]
    assert await completed(replicate, "replicate runs list --rule c") == ["charts"]
    assert await completed(replicate, "replicate runs show ") == [run]
    assert await completed(replicate, "replicate login reg") == ["registry.example.com"]
    assert await completed(replicate, "replicate registry check ") == ["registry.example.com"]


async def test_a_broken_configuration_does_not_disturb_whoever_types(replicate):
    replicate.write_config("[[rules")

    assert await completed(replicate, "replicate run ") == []


async def test_a_reader_that_leaves_ends_the_command_without_a_trace(replicate, start_registry):
    registry = await start_registry()
    for number in range(300):
        store_image(registry.storage, "app", f"1.{number}", layers=0)
    replicate.write_config(f"""
[[rules]]
name = "app"
source = "{registry.host}/app"
destinations = ["oci:copy"]
""")
    command = f"'{sys.executable}' -m replicator plan | head -n 1"

    process = await asyncio.create_subprocess_shell(
        command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=replicate.folder,
        env=environment(replicate.folder, {}),
    )
    out, err = await process.communicate()

    assert out.startswith(b"app: 300 to copy")
    assert err == b""


async def test_a_reader_of_progress_that_leaves_does_not_end_the_copies(replicate, start_registry):
    registry = await start_registry()
    for number in range(20):
        store_image(registry.storage, "app", f"1.{number}", layers=0)
    replicate.write_config(f"""
[[rules]]
name = "app"
source = "{registry.host}/app"
destinations = ["{registry.host}/copy"]
""")
    command = (
        f"'{sys.executable}' -m replicator run --report report.json 2>&1 >/dev/null | head -n 1"
    )

    process = await asyncio.create_subprocess_shell(
        command, cwd=replicate.folder, env=environment(replicate.folder, {})
    )
    await process.wait()
    runs = await replicate("runs", "list", "--json")

    assert len(registry.storage.tags("copy")) == 20
    assert runs.json["runs"][0]["state"] == "succeeded"


async def test_a_mistake_of_ours_asks_to_be_reported_and_shows_its_trace_only_when_asked(
    replicate, monkeypatch
):
    (replicate.folder / "sitecustomize.py").write_text(
        "import replicator.bootstrap as b\n"
        "def read_config(*a, **k): raise KeyError('surprise')\n"
        "b.read_config = read_config\n"
    )
    replicate.variables["PYTHONPATH"] = (
        f"{replicate.folder}:{environment(replicate.folder, {})['PYTHONPATH']}"
    )

    quiet, verbose = await replicate("run"), await replicate("-v", "run")

    assert quiet.code == verbose.code == 1
    assert "surprise" in quiet.complaint
    assert "report" in quiet.complaint
    assert "Traceback" in verbose.err


_CALLS_AT_EACH_DEPTH = """
import resource
from replicator.cli import main as cli

def call():
    pass

def dive(depth):
    for _ in range(500):
        call()
    if depth:
        dive(depth - 1)

def main():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    dive(400)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

cli.main = main
from replicator.__main__ import main
main()
"""


async def test_no_call_at_any_depth_makes_the_interpreter_map_memory_for_its_frame(replicate):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CALLS_AT_EACH_DEPTH),
        stdout=asyncio.subprocess.PIPE,
        env=environment(replicate.folder, {}),
    )
    out, _ = await process.communicate()

    # Where a chunk of frames ends, each of 500 calls would touch a page that is new.
    assert int(out) < 500
