"""Pictures of all screens, for the documentation and for whoever changes how they look.

python -m tests.page.pictures [FOLDER]      (docs/pictures unless it is given)
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from starlette.applications import Starlette

from replicator import bootstrap, events
from replicator.api.server import serve_http
from replicator.config import Config, RegistryEntry, ServiceSettings
from replicator.config.values import Listen
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.office import open_office
from replicator.page.app import page_routes
from replicator.planning.plan import Decision
from replicator.planning.rule import Rule
from replicator.registry.settings import CredentialSource, RegistrySettings
from replicator.service.identity import Identity, Role
from replicator.store.actor import Actor, acting
from replicator.store.owner import Owner
from replicator.store.records import ActionRecord, Outcome, RunState, Totals
from replicator.store.runs import Runs
from replicator.store.services import Services
from tests.page.world import HARBOR, RULES, add_registries, add_trouble, fill
from tests.support.browser import browser

_FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
_MIB = 1 << 20
_WRONG = """\
[[rules]]
name = "base-images"
source = "docker.io/library/alpine"
destinations = ["registry.example.com/hub/{name}"]
tags = { semver = ">=3.18", latest = "5" }
schedule = "0 3 * * *"
"""


async def take(folder):
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        config = Config(
            service=ServiceSettings(
                database=f"sqlite:///{home}/replicator.db",
                docker_config=False,
                listen=Listen("127.0.0.1", 0),
            ),
            registries={
                HARBOR: RegistryEntry(
                    RegistrySettings(HARBOR, kind="harbor", max_concurrency=16),
                    CredentialSource("acme", password="x"),
                )
            },
        )
        served = await stack.enter_async_context(bootstrap.open_serving(config))
        office = await stack.enter_async_context(open_office(config, served))
        await fill(served.database)
        await add_registries(served.database)
        failed = await _fail(served.database)
        running = await _begin(served)
        await _change(office)
        await Services(served.database, Owner.this_process(), datetime.now(UTC)).announce(
            datetime.now(UTC)
        )
        app = Starlette(routes=list(page_routes(office, "127.0.0.1")))
        at = await stack.enter_async_context(serve_http(app, "127.0.0.1", 0))
        chromium = await stack.enter_async_context(browser())
        for scheme in ("light", "dark"):
            for name, width in (("", 1280), ("-narrow", 420)):
                context = await chromium.new_context(
                    color_scheme=scheme,
                    viewport={"width": width, "height": 800},
                    device_scale_factor=1.5,
                )
                page = await context.new_page()
                suffix = ("" if scheme == "light" else "-dark") + name
                for screen, path in {
                    "overview": "/",
                    "rule": "/rules/base-images",
                    "run": f"/runs/{running}",
                    "run-failed": f"/runs/{failed}?outcome=failed",
                    "registry": f"/registries/{HARBOR}",
                    "activity": "/activity",
                }.items():
                    await page.goto(f"http://{at}{path}", wait_until="domcontentloaded")
                    if screen == "run":
                        await page.locator(".image progress").first.wait_for()
                    await page.screenshot(
                        path=folder / f"{screen}{suffix}.png", full_page=True, animations="disabled"
                    )
                if not suffix:
                    await page.goto(f"http://{at}/rules/new", wait_until="domcontentloaded")
                    await page.fill("textarea", _WRONG)
                    await page.click("text=Create the rule")
                    await page.screenshot(path=folder / "rule-edit.png", full_page=True)
                await context.close()


async def _change(office):
    """Let people have been at work."""
    ada = Identity("ada", Role.ADMIN, None, "page")
    with acting(Actor("ada", "page from 192.0.2.7")):
        rule = await office.rules.one(ada, "postgres")
        wanted = replace(rule, tags=replace(rule.tags, latest=20), objective=timedelta(hours=26))
        await office.rule_desk.replace(ada, rule.name, wanted, rule.revision)
    with acting(Actor("ci", "token from 192.0.2.40")):
        await office.rule_desk.switch(ada, "team-search", enabled=False)
        await office.rule_desk.switch(ada, "team-search", enabled=True)


async def _fail(database):
    record, kept, _ = await add_trouble(database)
    totals = Totals(
        {"selected": 60, "copied": 56, "failed": 4},
        5300 * _MIB,
        1800 * _MIB,
        240 * _MIB,
        {"ghcr.io": {"tags": 2, "manifest_get": 60, "blob_get": 171}, HARBOR: {"upload": 208}},
    )
    await kept.finish(record.id, RunState.PARTIAL, totals, datetime.now(UTC))
    return record.id


async def _begin(served):
    """Let a run move, as a worker of this process would tell."""
    rule: Rule = next(each for each in RULES if each.name == "monitoring")
    record, kept, actions = await _started(served.database, rule)
    with structlog.contextvars.bound_contextvars(run=record.id):
        for number, image in enumerate(actions[:3]):
            blobs = {Digest.of(f"{number}{n}".encode()): (n + 1) * 31 * _MIB for n in range(4)}
            served.live.hear(events.TagStarted(image.source, image.destination, image.tag, blobs))
            for n, (digest, size) in enumerate(blobs.items()):
                if n == 3:
                    continue
                served.live.hear(events.BlobStarted(image.destination, digest, size))
                part = int(size * (0.25 + 0.2 * n + 0.1 * number))
                served.live.hear(events.BlobProgressed(image.destination, digest, part))
    await kept.save(record.id, actions)
    return record.id


async def _started(database, rule):
    kept = Runs(database, Owner.this_process())
    record = await kept.start(rule, "page: ada", datetime.now(UTC))
    actions = [
        ActionRecord(
            RepositoryName(HARBOR, f"monitoring/{name}"),
            Tag(f"v{number}.4.1"),
            Decision.COPY,
            "not at the destination yet",
            f"quay.io/prometheus/{name}:v{number}.4.1",
        )
        for number in range(2, 8)
        for name in ("prometheus", "alertmanager", "node-exporter")
    ]
    done = [replace(each, outcome=Outcome.WRITTEN, bytes_moved=88 * _MIB) for each in actions[7:]]
    return record, kept, actions[:7] + done


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1]) if len(sys.argv) > 1 else _FOLDER))
