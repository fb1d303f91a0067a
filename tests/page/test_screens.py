"""What each screen shows, and to whom."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from replicator.oci.reference import Tag
from replicator.planning.rule import Rule
from replicator.store.owner import Owner
from replicator.store.queue import Queue
from replicator.store.records import ActionError, Outcome, RunState, Totals
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from replicator.store.tables import run
from replicator.telemetry.snapshot import take_snapshot
from tests.page.conftest import ADMIN, LIMITED, OPERATOR, VIEWER
from tests.page.world import HARBOR, add_registries, add_trouble, fill, many
from tests.store.values import an_action

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
ROWS = re.compile(r'id="rule-([^"]+)"')


@pytest.fixture
async def failed(database):
    """Two weeks of seven rules, of which the last run of one has failed in part."""
    await fill(database)
    await add_registries(database)
    record, kept, _ = await add_trouble(database)
    totals = Totals({"copied": 56, "failed": 4}, 1 << 30, 0, 0, {"ghcr.io": {"blob_get": 171}})
    await kept.finish(record.id, RunState.PARTIAL, totals, datetime.now(UTC))
    return record.id


async def test_the_overview_says_how_each_rule_is_doing(browsing, failed):
    async with browsing(ADMIN) as browser:
        page = await browser.get("/")

    row = page.text.split('id="rule-team-payments"')[1].split("</tr>")[0]
    assert page.status_code == 200
    assert "failing" in row
    assert "56 copied, 4 failed" in row
    assert re.search(r"4 failing tags, the first <time [^>]+>3 h ago</time>: ", row)
    assert "storage quota of the project is used up" in row
    assert "<time datetime=" in row
    assert "resting" in page.text.split('id="rule-toolchains"')[1].split("</tr>")[0]


async def test_the_overview_is_found_by_text_and_standing(browsing, failed):
    async with browsing(ADMIN) as browser:
        found = ROWS.findall((await browser.get("/?text=PROMETHEUS")).text)
        failing = ROWS.findall((await browser.get("/?standing=failing")).text)
        nothing = await browser.get("/?text=nothing-like-this")
        unknown = await browser.get("/?standing=odd")

    assert found == ["monitoring"]
    assert "team-payments" in failing
    assert "base-images" not in failing
    assert "No rule is like that" in nothing.text
    assert unknown.status_code == 422


async def test_rules_that_cannot_be_carried_out_together_are_shown_all_the_same(browsing, database):
    first, second = (Rule(name, "quay.io/acme/app", (f"{HARBOR}/app",)) for name in ("a", "b"))
    await Rules(database).rewrite(lambda _: (first, second))

    async with browsing(ADMIN) as browser:
        page = await browser.get("/")

    assert ROWS.findall(page.text) == ["a", "b"]


async def test_the_pages_of_the_overview_show_each_rule_once(browsing, database):
    rules = many(120)
    await Rules(database).rewrite(lambda _: rules)
    seen, path = [], "/"
    async with browsing(ADMIN) as browser:
        while path:
            page = (await browser.get(path)).text
            seen += ROWS.findall(page)
            following = re.search(r'href="(/\?[^"]+)" rel="next"', page)
            path = following and following[1].replace("&amp;", "&")

    assert seen == [rule.name for rule in rules]


async def test_a_registry_has_a_line_with_its_requests_and_the_pulls_that_are_left(
    browsing, failed
):
    async with browsing(ADMIN) as browser:
        page = (await browser.get("/")).text
        screen = (await browser.get("/registries/docker.io")).text
        harbor = (await browser.get(f"/registries/{HARBOR}")).text
        missing = await browser.get("/registries/nowhere.example.com")

    assert "143" in page.split('href="/registries/docker.io"')[1].split("</tr>")[0]
    assert "Requests by kind" in screen
    # Nothing is configured about it, but limits it has.
    assert "max concurrency" in screen
    assert "They are the defaults." in screen
    assert "manifest head" in screen
    assert "lists referrers" in harbor
    assert "connect 15 s" in harbor
    assert "canary" not in harbor
    assert missing.status_code == 404


async def test_registries_are_all_listed_however_many_there_are(browsing, office):
    for number in range(201):
        await office.registry_desk.put(f"r{number:03}.example.com", {"kind": "harbor"})
    async with browsing(ADMIN) as browser:
        page = (await browser.get("/")).text
        last = await browser.get("/registries/r200.example.com")

    assert page.count('href="/registries/r') == 202
    assert last.status_code == 200


async def test_a_rule_shows_its_definition_its_history_and_what_fails(browsing, failed):
    async with browsing(ADMIN) as browser:
        page = (await browser.get("/rules/team-payments")).text
        missing = await browser.get("/rules/nothing")

    assert "schedule = &#34;*/30 * * * *&#34;" in page
    assert "storage quota" in page
    assert f"/runs/{failed}" in page
    assert 'class="limit"' in page
    assert missing.status_code == 404


async def test_a_rule_says_what_is_left_of_its_error_budget(browsing, database):
    rules, now = many(3), datetime.now(UTC)
    in_time, late, spent = (
        replace(rule, objective=timedelta(hours=hours))
        for rule, hours in zip(rules, (30, 24, 1), strict=True)
    )
    await Rules(database).rewrite(lambda _: (in_time, late, spent))
    runs = Runs(database, Owner.this_process())
    for rule in (in_time, late, spent):
        for ago in (51, 25, 1):
            began = now - timedelta(hours=ago)
            record = await runs.start(rule, "schedule", began)
            await runs.finish(record.id, RunState.SUCCEEDED, Totals(), began)
    async with browsing(ADMIN) as browser:
        overview = (await browser.get("/")).text
        pages = [(await browser.get(f"/rules/{rule.name}")).text for rule in rules]

    lines = [overview.split(f'id="rule-{rule.name}"')[1].split("</tr>")[0] for rule in rules]
    assert "budget" not in lines[0]
    assert "72 % of the budget left" in lines[1]
    assert "error budget spent" in lines[2]
    assert "100 % left" in pages[0]
    assert "behind for 2 h in 30 days, 7 h are allowed" in pages[1]
    assert "0 % left" in pages[2]


async def test_a_run_shows_tags_found_by_outcome_and_text(browsing, failed):
    async with browsing(ADMIN) as browser:
        whole = (await browser.get(f"/runs/{failed}")).text
        failures = (await browser.get(f"/runs/{failed}?outcome=failed")).text
        found = (await browser.get(f"/runs/{failed}?text=payments-web:2.54.0")).text
        odd = await browser.get(f"/runs/{failed}?outcome=odd")
        gone = await browser.get("/runs/20260101-000000-00000000")

    assert whole.count("<tr>") > failures.count("<tr>")
    assert failures.count("storage quota") == 4
    assert "at the destination" in failures
    assert "2.54.0" in found
    assert "2.20.0" not in found
    assert (odd.status_code, gone.status_code) == (422, 404)


async def test_the_wait_for_a_worker_is_no_part_of_what_a_run_took(browsing, database):
    now = datetime.now(UTC)
    waited = {"queued_at": now - timedelta(minutes=15), "attempt": 1}
    kept = Runs(database, Owner.this_process())
    record = await kept.start(many(1)[0], "schedule", now - timedelta(minutes=5))
    async with database.writing() as connection:
        await connection.execute(update(run).where(run.c.id == record.id).values(**waited))
    await kept.finish(record.id, RunState.SUCCEEDED, Totals(), now - timedelta(minutes=1))
    async with browsing(ADMIN) as browser:
        page = (await browser.get(f"/runs/{record.id}")).text

    assert "<dt>Waited</dt><dd>10 min</dd>" in page
    assert "<dt>Took</dt><dd>4 min</dd>" in page


async def test_ten_thousand_tags_come_in_pages(browsing, database):
    kept = Runs(database, Owner.this_process())
    record = await kept.start(many(1)[0], "hand", datetime.now(UTC))
    await kept.save(record.id, [an_action(f"v{n:05}") for n in range(10_000)])
    async with browsing(ADMIN) as browser:
        first = (await browser.get(f"/runs/{record.id}")).text
        more = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")
        second = (await browser.get(more)).text

    assert "hub/alpine:v00049" in first
    assert "hub/alpine:v00050" not in first
    assert "hub/alpine:v00050" in second
    assert len(first) < 100_000


async def test_the_activity_shows_who_changed_what(browsing, office, database):
    await Rules(database).put(many(1)[0])
    async with browsing(ADMIN) as browser:
        await browser.get("/rules/team-0000")
        await browser.post("/rules/team-0000/disable")
        page = (await browser.get("/activity?kind=rule")).text
        nobody = (await browser.get("/activity?actor=nobody-like-this")).text

    assert "ada" in page
    assert "page from 127.0.0.1" in page
    assert "<del><code>true</code></del> <ins><code>false</code></ins>" in page
    assert "Nobody has changed" in nobody


async def test_addresses_typed_by_hand_lead_to_the_overview_and_no_kind_is_made_up(browsing):
    async with browsing(ADMIN) as browser:
        lists = [await browser.get(path) for path in ("/rules", "/runs", "/registries")]
        bogus = await browser.get("/activity?kind=bogus")

    assert {(each.status_code, each.headers["location"]) for each in lists} == {(303, "/")}
    assert bogus.status_code == 422


async def test_whatever_registries_say_is_text(browsing, database):
    """Tags cannot be hostile, as their names are checked; all around them can."""
    rule = Rule("hostile", "docker.io/library/alpine", (f"{HARBOR}/hub/alpine",))
    await Rules(database).put(rule)
    kept = Runs(database, Owner.this_process())
    record = await kept.start(rule, HOSTILE, datetime.now(UTC))
    error = ActionError("denied", HOSTILE, "destination", 403, HOSTILE)
    action = an_action(outcome=Outcome.FAILED, error=error)
    await kept.save(record.id, [replace(action, reason=HOSTILE, source=HOSTILE, tag=Tag("1"))])
    requests = {HOSTILE: {HOSTILE: 3}}
    totals = Totals({"failed": 1}, 0, 0, 0, requests)
    await kept.finish(record.id, RunState.FAILED, totals, datetime.now(UTC), error=HOSTILE)
    async with browsing(ADMIN) as browser:
        pages = [
            await browser.get(path)
            for path in ("/", "/rules/hostile", f"/runs/{record.id}", "/activity")
        ]

    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
    assert "&lt;script&gt;alert(1)" in pages[2].text


async def test_words_of_other_processes_are_as_harmless(office, database, browsing):
    rule = Rule("hostile", "docker.io/library/alpine", (f"{HARBOR}/hub/alpine",))
    run = await Queue(database).add(rule, "test", datetime.now(UTC))
    image = {"source": HOSTILE, "destination": HOSTILE, "tag": HOSTILE, "done": 1, "size": 2}
    blob = {"destination": HOSTILE, "digest": HOSTILE, "done": 1, "size": 2, "tags": [HOSTILE]}
    with office.live.elsewhere.watching(run.id):
        said = take_snapshot(run.id, "another", [image], [blob])
        office.live.elsewhere.hear(said.to_text())
        async with browsing(ADMIN) as browser:
            page = await browser.get(f"/runs/{run.id}")

    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


async def test_each_image_of_a_repository_has_the_blobs_that_it_waits_for(
    office, database, browsing
):
    there = f"{HARBOR}/hub/alpine"
    rule = Rule("tags", "docker.io/library/alpine", (there,))
    run = await Queue(database).add(rule, "test", datetime.now(UTC))
    of_it = {"destination": there, "done": 1, "size": 2}
    images = [{**of_it, "source": "docker.io/library/alpine", "tag": tag} for tag in ("a", "b")]
    waiting = {"sha256:own-of-a": ["a"], "sha256:own-of-b": ["b"], "sha256:of-both": ["a", "b"]}
    blobs = [{**of_it, "digest": digest, "tags": tags} for digest, tags in waiting.items()]
    with office.live.elsewhere.watching(run.id):
        office.live.elsewhere.hear(take_snapshot(run.id, "another", images, blobs).to_text())
        async with browsing(ADMIN) as browser:
            page = (await browser.get(f"/runs/{run.id}")).text

    _, of_a, of_b = page.split('<div class="image">')
    shown = [re.findall(r"<code>(sha256:[a-z-]+)", part) for part in (of_a, of_b)]
    assert shown == [["sha256:own-of-a", "sha256:of-both"], ["sha256:of-both", "sha256:own-of-b"]]


async def test_who_is_limited_to_some_rules_sees_no_others_and_no_registries(browsing, failed):
    async with browsing(LIMITED) as browser:
        page = (await browser.get("/")).text
        out_of_sight = [
            (await browser.get(path)).status_code
            for path in ("/rules/base-images", f"/registries/{HARBOR}", "/registries/docker.io")
        ]
        activity = await browser.get("/activity")

    assert set(ROWS.findall(page)) == {"team-payments", "team-search"}
    assert "Registries" not in page
    assert "base-images" not in page
    assert out_of_sight == [404, 404, 404]
    assert activity.status_code == 403


async def test_nobody_sees_a_button_that_is_not_for_him(browsing, failed):
    shown = {}
    for who in (VIEWER, OPERATOR, ADMIN):
        async with browsing(who) as browser:
            pages = [
                (await browser.get(path)).text
                for path in ("/", "/rules/base-images", f"/runs/{failed}", f"/registries/{HARBOR}")
            ]
        page = "".join(pages)
        words = ("New rule", "Run now", "Preview the plan", "Disable", "Edit", "Delete")
        shown[who.role] = [
            word for word in (*words, "Retry what failed", "Check now") if word in page
        ]

    assert shown["viewer"] == []
    assert shown["operator"] == [
        "Run now",
        "Preview the plan",
        "Disable",
        "Retry what failed",
        "Check now",
    ]
    assert len(shown["admin"]) == 8


async def test_each_answer_tells_browsers_what_they_may_do_with_it(browsing, failed):
    async with browsing(ADMIN) as browser:
        page = await browser.get("/")
        wrong = await browser.get("/nowhere")
        addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
        files = [await browser.get(address) for address in addresses]

    for answer in (page, wrong, *files):
        assert answer.headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    assert len(files) == 4
    assert all(each.status_code == 200 for each in files)
    assert all("immutable" in each.headers["cache-control"] for each in files)
    assert wrong.status_code == 404
    assert "style=" not in page.text
    assert not re.search(r"<script(?![^>]*src=)", page.text)


async def test_odd_addresses_are_answered_with_a_page(browsing, office):
    async with browsing(ADMIN) as browser:
        answers = {
            path: (await browser.get(path)).status_code
            for path in (
                "/runs/%00",
                "/rules/%00",
                "/rules/..%2f..%2fetc",
                "/registries/%E2%80%AE",
                "/activity?name=%00",
                "/?text=a%0ab",
                "/?cursor=x",
                "/activity?cursor=WyJ4Il0=",
                "/runs/x/live",
                "/static/../app.py",
                "/static/nothing.js",
            )
        }
        odd_origin = await browser.post("/rules", origin="http://[")

    assert set(answers.values()) == {404, 422}
    assert odd_origin.status_code == 403
