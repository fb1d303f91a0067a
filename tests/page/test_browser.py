"""The page in a real browser: what people do, how it moves, and what they can do without."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import structlog
from starlette.applications import Starlette
from starlette.routing import Mount

from replicator import bootstrap, events
from replicator.api.server import serve_http
from replicator.config import Config, RegistryEntry, ServiceSettings
from replicator.oci.digest import Digest
from replicator.office import open_office
from replicator.page.app import create_page
from replicator.registry.settings import Credentials, RegistrySettings
from replicator.service.access.identity import Identity, Role
from replicator.store.owner import Owner
from replicator.store.records import ActionError, Outcome, RunState, Totals
from replicator.store.runs import Runs
from tests.e2e.test_serve import serving
from tests.page.conftest import ADMIN, SECRET_KEY
from tests.page.test_screens import HOSTILE
from tests.page.world import HARBOR, RULES, add_registries, add_trouble, fill
from tests.store.values import an_action
from tests.support.browser import AXE, browser
from tests.support.command import CommandLine
from tests.support.embedded import store_image, store_image_of, store_layer
from tests.support.faults import Faults, answer, hold_body
from tests.support.gate import Gate

_PATIENCE = 20_000  # milliseconds; a busy machine is no failure
RULE = """\
[[rules]]
name = "app"
source = "{source}/team/app"
destinations = ["{destination}/mirror/app"]
tags = {{ include = ["1.*"] }}
"""


@pytest.fixture
def database_url(tmp_path):
    """What a browser sees does not depend on where it is kept."""
    return f"sqlite:///{tmp_path}/replicator.db"


@asynccontextmanager
async def window(at, **options):
    """Open a page of the service; what it loads from elsewhere, or must not do, is a failure."""
    trouble = []
    async with browser() as chromium:
        context = await chromium.new_context(base_url=at, **options)
        context.set_default_timeout(_PATIENCE)
        page = await context.new_page()
        page.on(
            "request", lambda asked: asked.url.startswith(at) or trouble.append(f"asks {asked.url}")
        )
        page.on("console", lambda said: said.type == "error" and trouble.append(said.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(f"says {dialog.message}"))
        yield page
    # The answer 422 to a form with a mistake is an error to the console, and meant.
    assert [each for each in trouble if "422" not in each] == []


async def value_of(bar, *, above):
    """Return how far a bar is, once that is more than *above*."""
    async with asyncio.timeout(_PATIENCE / 1000):
        # A browser tells nobody that an attribute has changed.
        while (value := float(await bar.get_attribute("value"))) <= above:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return value


async def test_a_rule_is_written_planned_run_watched_and_retried(tmp_path, start_registry):
    replicate, faults, gates = CommandLine(tmp_path), Faults(), (Gate(), Gate())
    source, destination = await start_registry(wrap=faults), await start_registry()
    layers = [store_layer(source.storage, "team/app", f"l{n}", 4_000_000) for n in range(2)]
    store_image_of(source.storage, "team/app", "1.0", layers)
    store_image(source.storage, "team/app", "1.1", seed="other")
    for gate, layer in zip(gates, layers, strict=True):
        faults.add(hold_body(gate, after=3_000_000), "GET", f"/blobs/{layer.blob.digest}")
    faults.add(answer(403), "GET", "/manifests/1.1")
    text = RULE.format(source=source.host, destination=destination.host)

    async with serving(replicate) as log, window(log.url) as page:
        await page.goto("/", wait_until="domcontentloaded")
        await page.get_by_role("link", name="Write the first one").click()
        editor = page.get_by_label("The rule, as a configuration file has it")
        await editor.fill(text.replace("include", "inclde"))
        await page.get_by_role("button", name="Create the rule").click()
        mistake = await page.get_by_role("alert").inner_text()
        await editor.fill(text)
        await page.get_by_role("button", name="Create the rule").click()

        await page.get_by_role("button", name="Preview the plan").click()
        await page.locator("#plan tbody tr").first.wait_for()
        plan = await page.locator("#plan").inner_text()
        address = page.url

        await page.get_by_role("button", name="Run now").click()
        bar = page.locator("#bar-1")
        begun = await value_of(bar, above=0)
        blob = await value_of(page.locator(".blob progress").first, above=0)
        gates[0].set()
        moved = await value_of(bar, above=begun)
        gates[1].set()
        # The page hears the end by itself.
        retry = page.get_by_role("button", name="Retry what failed")
        await retry.wait_for()
        failed = await page.locator("#run").inner_text()

        faults.clear()
        await retry.click()
        await page.locator("#progress .is-succeeded").wait_for()
        retried = await page.locator("#run").inner_text()

    assert "Line 5 is not right" in mistake
    assert 'did you mean "include"?' in mistake
    assert "mirror/app:1.0" in plan
    assert "Nothing was changed" in plan
    assert address.endswith("/rules/app")
    assert 0 < begun < moved
    assert blob > 0
    assert "some tags failed" in failed
    assert "403" in failed
    assert "limited to 1 tags" in retried
    assert destination.storage.tags("mirror/app") == ["1.0", "1.1"]


@pytest.fixture
async def shown(database_url, monkeypatch):
    """A service in this process that has much to show, hostile words included."""
    monkeypatch.setenv("REPLICATOR_SECRET_KEY", SECRET_KEY)

    async def knows(request):
        return ADMIN

    config = Config(
        service=ServiceSettings(database=database_url, docker_config=False),
        registries={HARBOR: RegistryEntry(RegistrySettings(HARBOR, kind="harbor"))},
    )
    async with bootstrap.open_serving(config) as served, open_office(config, served) as office:
        await fill(served.database)
        await add_registries(served.database)
        screens = {
            "overview": "/",
            "rule": "/rules/team-payments",
            "new": "/rules/new",
            "failed": f"/runs/{await _failed(served.database)}",
            "running": f"/runs/{await _running(served)}",
            "registry": f"/registries/{HARBOR}",
            "activity": "/activity",
            "tokens": "/access",
            "credentials": "/access/credentials",
            "sessions": "/access/sessions",
            "question": "/access/tokens/ci/revoke",
            "new registry": "/registries/new",
            "edited registry": "/registries/registry.test/edit",
            "sign-in": "/sign-in",
            "nowhere": "/nowhere",
        }
        await _access(office)
        app = Starlette(routes=[Mount("", create_page(office, knows))])
        async with serve_http(app, "127.0.0.1", 0) as at:
            yield f"http://{at}", screens
            served.live.close()


async def _access(office):
    await office.tokens.create("ci", Role.OPERATOR, patterns=["team-*"])
    await office.tokens.create("old", Role.VIEWER)
    await office.tokens.revoke("old")
    await office.credentials.put("harbor", "registry.test", Credentials(HOSTILE, "p", ""))
    await office.sessions.open(Identity(HOSTILE, Role.VIEWER, ("team-*",), "oidc"), token=None)
    await office.registry_desk.put("registry.test", {"kind": "harbor"})


async def _failed(database):
    record, kept, actions = await add_trouble(database)
    error = ActionError("denied", HOSTILE, "destination", 403, HOSTILE)
    hostile = replace(
        actions[0], source=HOSTILE, reason=HOSTILE, outcome=Outcome.FAILED, error=error
    )
    await kept.save(record.id, [hostile])
    totals = Totals({"copied": 55, "failed": 5}, 1, 0, 0, {HOSTILE: {HOSTILE: 1}})
    await kept.finish(record.id, RunState.PARTIAL, totals, datetime.now(UTC), error=HOSTILE)
    return record.id


async def _running(served):
    kept = Runs(served.database, Owner.this_process())
    record = await kept.start(RULES[2], HOSTILE, datetime.now(UTC))
    image, digest = an_action(), Digest.of(b"layer")
    with structlog.contextvars.bound_contextvars(run=record.id):
        told = events.TagStarted(HOSTILE, image.destination, image.tag, {digest: 100})
        served.live.hear(told)
        served.live.hear(events.BlobStarted(image.destination, digest, 100))
        served.live.hear(events.BlobProgressed(image.destination, digest, 40))
    return record.id


async def test_no_screen_is_closed_to_people_who_see_or_move_differently(shown):
    at, screens = shown
    assert AXE.exists(), f"there is no {AXE}; `make tools` installs it"
    found = {}
    async with browser() as chromium:
        for scheme, rules in (("light", "{}"), ("dark", "{runOnly: ['color-contrast']}")):
            # Without the policy of the page, which would not let axe in.
            context = await chromium.new_context(base_url=at, color_scheme=scheme, bypass_csp=True)
            page = await context.new_page()
            for name, path in screens.items():
                await page.goto(path, wait_until="domcontentloaded")
                await page.add_script_tag(path=AXE)
                result = await page.evaluate(f"axe.run({rules})")
                found[f"{name}, {scheme}"] = [
                    (each["id"], each["impact"], [node["html"][:120] for node in each["nodes"]])
                    for each in result["violations"]
                ]
            await context.close()

    assert {name: each for name, each in found.items() if each} == {}


async def test_hostile_words_do_nothing_and_nothing_is_loaded_from_elsewhere(shown):
    at, screens = shown
    # A page of 404 is an error to the console, and meant.
    paths = [path for name, path in screens.items() if name != "nowhere"]
    async with window(at) as page:
        for path in paths:
            await page.goto(path, wait_until="domcontentloaded")
            assert await page.locator("img").count() == 0
        await page.goto(screens["running"], wait_until="domcontentloaded")
        await page.locator(".image progress").first.wait_for()
        words = await page.locator("#run").inner_text()

    assert "<script>alert(1)" in words


async def test_everything_can_be_read_without_scripts_and_reached_by_keyboard(shown):
    at, screens = shown
    async with window(at, java_script_enabled=False) as page:
        await page.goto("/", wait_until="domcontentloaded")
        await page.keyboard.press("Tab")
        skip = await page.locator(":focus").inner_text()
        await page.get_by_role("searchbox").fill("payments")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="team-payments", exact=True).click()
        rule = await page.locator("main").inner_text()
        await page.goto(screens["running"], wait_until="domcontentloaded")
        bar = await page.locator("#bar-1").get_attribute("value")
        await page.goto(screens["failed"], wait_until="domcontentloaded")
        await page.get_by_label("Outcome").select_option("failed")
        await page.get_by_role("button", name="Find").click()
        rows = await page.locator("#tags tbody tr").count()

    assert skip == "Skip to the content"
    assert "storage quota" in rule
    assert bar == "40"
    assert rows == 5


async def test_a_token_is_made_and_revoked_without_scripts_and_by_keyboard(shown):
    at, _ = shown
    async with window(at, java_script_enabled=False) as page:
        await page.goto("/", wait_until="domcontentloaded")
        await page.get_by_role("link", name="Access").click()
        await page.get_by_label("Name", exact=True).fill("deploy")
        await page.keyboard.press("Tab")
        await page.keyboard.press("o")
        await page.keyboard.press("Tab")
        await page.keyboard.type("team-*")
        await page.keyboard.press("Enter")
        secret = await page.locator("#secret").inner_text()
        row = await page.get_by_role("row", name="deploy").inner_text()
        await page.get_by_role("link", name="Revoke deploy").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Revoke the token").focus()
        await page.keyboard.press("Enter")
        after = await page.get_by_role("row", name="deploy").inner_text()

    assert secret.startswith("rplt_")
    assert "operator" in row
    assert "team-*" in row
    assert "revoked" in after
