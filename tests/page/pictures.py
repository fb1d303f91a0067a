"""Pictures of all screens, for the documentation and for whoever changes how they look.

python -m tests.page.pictures [FOLDER]      (docs/pictures unless it is given)
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.routing import Mount

from replicator import bootstrap, events
from replicator.api.server import serve_http
from replicator.config import Config, RegistryEntry, ServiceSettings
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.office import open_office
from replicator.page.app import create_page
from replicator.planning.plan import Decision
from replicator.planning.rule import Rule
from replicator.registry.settings import Credentials, CredentialSource, RegistrySettings
from replicator.service.access.identity import Identity, Role
from replicator.store.actor import Actor, acting
from replicator.store.owner import Owner
from replicator.store.records import ActionRecord, Outcome, RunState, Totals
from replicator.store.runs import Runs
from replicator.store.services import Services
from tests.page.world import HARBOR, RULES, add_registries, add_trouble, fill
from tests.support.browser import browser

# What is added to the name of a picture, the scheme of colours, and how wide the window is.
_WAYS = (
    ("", "light", 1280),
    ("-dark", "dark", 1280),
    ("-narrow", "light", 420),
    ("-dark-narrow", "dark", 420),
)
_MIB = 1 << 20
_ADA = Identity("ada", Role.ADMIN, None, "page")
_WRONG = """\
[[rules]]
name = "base-images"
source = "docker.io/library/alpine"
destinations = ["registry.example.com/hub/{name}"]
tags = { semver = ">=3.18", latest = "5" }
schedule = "0 3 * * *"
"""


async def take(folder, *, narrow_and_dark):
    """Take pictures of a service that has much to show."""
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        config = _config(home)
        served = await stack.enter_async_context(bootstrap.open_serving(config))
        office = await stack.enter_async_context(open_office(config, served))
        screens = await _fill(served, office)
        app = Starlette(routes=[Mount("", create_page(office, _know_ada))])
        at = await stack.enter_async_context(serve_http(app, "127.0.0.1", 0))
        chromium = await stack.enter_async_context(browser())
        for suffix, scheme, width in _WAYS if narrow_and_dark else _WAYS[:1]:
            context = await chromium.new_context(
                base_url=f"http://{at}",
                color_scheme=scheme,
                viewport={"width": width, "height": 800},
                device_scale_factor=1.5,
            )
            await _take_all(await context.new_page(), screens, folder, suffix)
            await context.close()


def _config(home):
    entry = RegistryEntry(
        RegistrySettings(HARBOR, kind="harbor", max_concurrency=16),
        CredentialSource("acme", password="x"),
    )
    key = Path(home, "secret.key")
    key.write_text(secrets.token_urlsafe(32))
    service = ServiceSettings(
        f"sqlite:///{home}/replicator.db", docker_config=False, secret_key_file=key
    )
    return Config(service=service, registries={HARBOR: entry})


async def _know_ada(request):
    return _ADA


async def _fill(served, office):
    """Let there be something to see; return where the screens are."""
    await fill(served.database)
    await add_registries(served.database)
    failed, running = await _fail(served.database), await _begin(served)
    await _change(office)
    await _let_in(office)
    now = datetime.now(UTC)
    await Services(served.database, Owner.this_process(), now).announce(now)
    return {
        "overview": "/",
        "rule": "/rules/base-images",
        "run": f"/runs/{running}",
        "run-failed": f"/runs/{failed}?outcome=failed",
        "registry": f"/registries/{HARBOR}",
        "activity": "/activity",
        "access": "/access",
        "credentials": "/access/credentials",
        "sessions": "/access/sessions",
        "registry-edit": "/registries/new",
        "rule-edit": "/rules/new",
    }


async def _take_all(page, screens, folder, suffix):
    for screen, path in screens.items():
        await page.goto(path, wait_until="domcontentloaded")
        if screen == "run":
            await page.locator(".image progress").first.wait_for()
        if screen == "rule-edit":
            await page.fill("textarea", _WRONG)
            await page.click("text=Create the rule")
            await page.get_by_role("alert").wait_for()
        file = folder / f"{screen}{suffix}.png"
        await page.screenshot(path=file, full_page=True, animations="disabled")


async def _change(office):
    """Let people have been at work."""
    with acting(Actor("ada", "page from 192.0.2.7")):
        rule = await office.rules.one(_ADA, "postgres")
        wanted = replace(rule, tags=replace(rule.tags, latest=20), objective=timedelta(hours=26))
        await office.rule_desk.replace(_ADA, rule.name, wanted, rule.revision)
    with acting(Actor("ci", "token from 192.0.2.40")):
        await office.rule_desk.switch(_ADA, "team-search", enabled=False)
        await office.rule_desk.switch(_ADA, "team-search", enabled=True)


async def _let_in(office):
    """Let there be people, programs and registries that are known."""
    with acting(Actor("oidc:ada", "page from 192.0.2.7")):
        await office.tokens.create("ci", Role.OPERATOR, patterns=["team-*"])
        await office.tokens.create("grafana", Role.VIEWER, lifetime=timedelta(days=365))
        await office.tokens.create("laptop-of-olga", Role.ADMIN, lifetime=timedelta(days=7))
        await office.tokens.revoke("laptop-of-olga")
        await office.credentials.put("hub", "docker.io", Credentials("acme", "x", ""))
        await office.credentials.put("quay-robot", "quay.io", Credentials("acme+mirror", "x", ""))
    for name, role, rules in (("ada", Role.ADMIN, None), ("olga", Role.OPERATOR, ("team-*",))):
        await office.sessions.open(Identity(f"oidc:{name}", role, rules, "oidc"), token=None)


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


def main():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("folder", type=Path)
    words.add_argument("--all", action="store_true", help="also narrow ones, and in the dark")
    asked = words.parse_args()
    asyncio.run(take(asked.folder, narrow_and_dark=asked.all))


if __name__ == "__main__":
    main()
