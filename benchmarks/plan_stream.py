"""Plans a rule of thousands of repositories, and watches memory and the order of events.

    python benchmarks/plan_stream.py [--repositories 2000] [--tags 20]

Two registries of this project run in a process of their own. The runner is the real one with its
real client and an SQLite database; only copying is left out, so that what is measured is
discovery, observation, planning and the ledger. A first run finds everything new, a second one
everything unchanged.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.storage import StoredManifest
from replicator.events import RequestFinished, RequestKind
from replicator.layout.layout import open_layout
from replicator.oci.digest import Digest
from replicator.oci.media_types import OCI_MANIFEST
from replicator.planning.rule import Rule
from replicator.registry.client import open_registry
from replicator.service.outside.registries import Registries
from replicator.service.running.runner import Runner
from replicator.store.database import Database
from replicator.store.ledger import Ledger
from replicator.store.notes import TagNotes
from replicator.store.owner import Owner
from replicator.store.runs import Runs
from replicator.transfer.order import Result


class NoLogins:
    async def credentials_for(self, registry):
        return None


class Watch:
    """When things happened, and how much memory there was then."""

    def __init__(self):
        self.begin()

    def begin(self):
        self.started = time.monotonic()
        self.first_copy = self.last_catalogue = None
        self.samples = []

    def __call__(self, event):
        if isinstance(event, RequestFinished) and event.kind is RequestKind.CATALOG:
            self.last_catalogue = time.monotonic() - self.started

    async def sample(self):
        while True:
            self.samples.append(resident_mib())
            await asyncio.sleep(0.25)


class NoCopier:
    """Says that everything was copied, at once."""

    def __init__(self, watch, digest):
        self._watch, self._digest = watch, digest

    async def copy(self, order):
        if self._watch.first_copy is None:
            self._watch.first_copy = time.monotonic() - self._watch.started
        return tuple(
            Result(each.repository.name, each.tag, self._digest, self._digest, written=True)
            for each in order.destinations
        )


def resident_mib():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def content():
    return b'{"schemaVersion":2,"mediaType":"%s"}' % OCI_MANIFEST.encode()


async def serve(repositories, tags):
    """Serve a full registry and an empty one until standard input ends."""
    full, digest = MemoryStorage(), Digest.of(content())
    for number in range(repositories):
        path = f"team/app{number:05}"
        full.put_manifest(path, digest, StoredManifest(OCI_MANIFEST, content()))
        for tag in range(tags):
            full.put_tag(path, f"1.{tag}", digest)
    async with EmbeddedRegistry(full) as source, EmbeddedRegistry() as destination:
        print(source.host, destination.host, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def served(options):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--serve"),
        *("--repositories", str(options.repositories), "--tags", str(options.tags)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield (await process.stdout.readline()).decode().split()
    finally:
        process.stdin.close()
        await process.wait()


async def measure(options):
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            served(options) as (source, destination),
            await Database.open(f"sqlite:///{folder}/bench.db", upgrade=True) as database,
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
            rule = Rule(
                "all",
                f"{source}/**",
                (f"{destination}/{{repository}}",),
                referrers=False,
            )
            print(f"{options.repositories:,} repositories of {options.tags} tags")
            for name in ("new", "unchanged"):
                watch.begin()
                sampling = asyncio.create_task(watch.sample())
                report = await runner.run(rule, trigger="benchmark")
                sampling.cancel()
                show(name, report, watch)


def show(name, report, watch):
    """Print one run; the memory after a quarter and at the end says whether it is flat."""
    seconds = time.monotonic() - watch.started
    requests = sum(sum(kinds.values()) for kinds in report.requests.values())
    selected, samples = report.counts["selected"], watch.samples
    print(f"{name}: {report.state}, {selected:,} tags in {seconds:.1f} s")
    print(f"  requests            {requests:,} ({requests / selected:.3f} a tag)")
    if watch.first_copy is not None:
        print(f"  first copy          {watch.first_copy:.2f} s")
    print(f"  discovery ended     {watch.last_catalogue:.2f} s")
    print(
        f"  resident            {samples[len(samples) // 4]:.0f} MiB after a quarter, "
        f"{max(samples):.0f} MiB at most"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repositories", type=int, default=2000)
    parser.add_argument("--tags", type=int, default=20)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    asyncio.run(serve(options.repositories, options.tags) if options.serve else measure(options))


if __name__ == "__main__":
    main()
