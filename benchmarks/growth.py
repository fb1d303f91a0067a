"""How time and memory grow with the work, drawn as pictures for docs/performance.md.

    python -m benchmarks.growth [--tags 100,1000,10000,100000] [--repositories 10,100,1000]

Each size is a run of ``replicate``, in a process of its own, over tags that are all in step: lists,
a HEAD for each tag, and the ledger. What the ledger knows it learnt from a run that copied nothing.
The registry is ours, in a process of its own, whose CPU does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.charts import Line, draw
from benchmarks.peers.tools import exe
from benchmarks.plan_stream import NoCopier, NoLogins, Watch, content, served
from replicator.layout.layout import open_layout
from replicator.oci.digest import Digest
from replicator.planning.rule import Rule
from replicator.registry.client import open_registry
from replicator.service.outside.registries import Registries
from replicator.service.running.runner import Runner
from replicator.store.database import Database
from replicator.store.ledger import Ledger
from replicator.store.notes import TagNotes
from replicator.store.owner import Owner
from replicator.store.runs import Runs

_MEASURE = Path(__file__).parent / "peers" / "measure.py"
_PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
_TAGS_EACH = 10


def main():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--tags", default="100,1000,10000,100000")
    words.add_argument("--repositories", default="10,100,1000")
    args = words.parse_args()
    for title, name, sizes in (
        (
            f"repositories of {_TAGS_EACH} unchanged tags",
            "growth-repositories",
            [(int(n), _TAGS_EACH) for n in args.repositories.split(",")],
        ),
        (
            "unchanged tags in one repository",
            "growth-tags",
            [(1, int(n)) for n in args.tags.split(",")],
        ),
    ):
        _show(title, name, sizes)


def _show(title, name, sizes):
    """Measure all *sizes*, print them, and draw them."""
    print(f"\n| {title} | CPU s | peak memory MiB | wall s |\n|---:|---:|---:|---:|")
    seconds, memory = [], []
    for repositories, tags in sizes:
        cost = asyncio.run(_cost(repositories, tags))
        n = tags if repositories == 1 else repositories
        seconds.append((n, cost["cpu"]))
        memory.append((n, cost["rss_mib"]))
        print(
            f"| {n:,} | {cost['cpu']:.2f} | {cost['rss_mib']:.0f} | {cost['wall']:.1f} |",
            flush=True,
        )
    _PICTURES.mkdir(exist_ok=True)
    lines = Line("CPU seconds", seconds), Line("peak memory, MiB", memory)
    (_PICTURES / f"{name}.svg").write_text(draw(title, lines))


async def _cost(repositories, tags):
    """Return what a run costs that finds everything in step."""
    options = argparse.Namespace(repositories=repositories, tags=tags)
    with tempfile.TemporaryDirectory() as folder:
        async with served(options) as (source, destination):
            await _teach(folder, source, destination)
            return await asyncio.to_thread(_run, folder, _config(folder, source, destination))


async def _teach(folder, source, destination):
    """Let the ledger believe that everything was copied."""
    watch = Watch()
    async with (
        await Database.open(f"sqlite:///{folder}/replicator.db", upgrade=True) as database,
        Registries(
            {},
            open_registry=lambda settings, *, listener: open_registry(
                settings, keychain=NoLogins(), listener=listener
            ),
            open_layout=open_layout,
            listener=watch,
        ) as registries,
    ):
        runner = Runner(
            registries=registries,
            copier=NoCopier(watch, Digest.of(content())),
            ledger=Ledger(database),
            runs=Runs(database, Owner.this_process()),
            notes=TagNotes(database),
            clock=lambda: datetime.now(UTC),
        )
        rule = Rule("growth", f"{source}/**", (f"{destination}/{{repository}}",), referrers=False)
        await runner.run(rule, trigger="benchmark")


def _run(folder, config):
    file = Path(folder, "config.toml")
    file.write_text(config)
    job = {
        "commands": [[exe("replicate"), "--config", str(file), "run"]],
        "parallel": 1,
        "env": {"HOME": folder},
        "timeout": 3600,
        "log": f"{folder}/log",
    }
    out = subprocess.run(
        [sys.executable, "-S", _MEASURE],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
    )
    cost = json.loads(out.stdout)
    if cost["failed"]:
        sys.exit(Path(folder, "log").read_text()[-2000:])
    return cost


def _config(folder, source, destination):
    return f"""
[service]
database = "sqlite:///{folder}/replicator.db"
confirm_share = 0.0

[registries."{source}"]
plain_http = true

[registries."{destination}"]
plain_http = true

[[rules]]
name = "growth"
source = "{source}/**"
destinations = ["{destination}/{{repository}}"]
referrers = false
"""


if __name__ == "__main__":
    main()
