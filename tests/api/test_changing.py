"""Rules, runs, registries and credentials, changed by programs; and what the audit says of it."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from starlette.applications import Starlette
from structlog.contextvars import bound_contextvars

from replicator import events
from replicator.api.v1.mounting import api_routes
from replicator.api.v1.plan_models import PlanAnswer
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.service.access.identity import Identity, Role
from replicator.service.records.report import RunReport
from replicator.store.owner import Owner
from replicator.store.records import RunState, Totals
from replicator.store.runs import Runs
from tests.api.conftest import a_rule
from tests.store.values import ALPINE, NOON

DEFINITION = {
    "name": "new",
    "source": "a.invalid/b",
    "destinations": ["b.invalid/{name}"],
    "tags": {"include": ["1.*"], "newer_than": "30d"},
    "schedule": "0 3 * * *",
}
CANARY = "c4n4ry-of-the-api"


async def audited(api):
    records = (await api.get("/audit")).json()["items"]
    return [(each["action"], each["kind"], each["name"]) for each in records]


async def test_a_rule_is_made_shown_changed_and_forgotten(api):
    made = await api.post("/rules", json=DEFINITION)
    shown = await api.get("/rules/new")
    edited = {**shown.json()["definition"], "schedule": "every 1h"}
    changed = await api.put("/rules/new", json=edited, headers={"If-Match": shown.headers["etag"]})
    stale = await api.put("/rules/new", json=DEFINITION, headers={"If-Match": '"1"'})
    blind = await api.put("/rules/new", json=DEFINITION)
    gone = await api.delete("/rules/new")

    assert (made.status_code, made.json()["definition"]) == (201, DEFINITION)
    assert shown.headers["etag"] == '"1"'
    assert (changed.json()["revision"], changed.json()["definition"]) == (2, edited)
    assert (stale.status_code, stale.json()["code"]) == (409, "rule_conflict")
    assert (blind.status_code, blind.json()["field"]) == (422, "revision")
    assert gone.status_code == 204
    assert await audited(api) == [
        ("delete", "rule", "new"),
        ("change", "rule", "new"),
        ("create", "rule", "new"),
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tags": {"semver": "no range"}}, "tags.semver"),
        ({"tags": {"include": [1]}}, "tags.include[1]"),
        ({"shedule": "0 3 * * *"}, "shedule"),
        ({"destinations": []}, "destinations"),
        ({"referrers": "yes"}, "referrers"),
        ({"schedule": "never"}, "schedule"),
    ],
)
async def test_a_mistake_in_a_rule_names_its_field(api, change, field):
    answer = await api.post("/rules/validation", json={**DEFINITION, **change})

    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {**DEFINITION, "tags": {"lates": 1}},
            'tags.lates: is not known; did you mean "latest"?',
        ),
        (
            {"name": "new", "sorce": "a.io/b"},
            'sorce: is not known; did you mean "source"?; source: is required; '
            "destinations: is required",
        ),
        ({**DEFINITION, "max_prune": "3"}, "max_prune: has to be a whole number"),
        ({**DEFINITION, "max_prune": -1}, "max_prune: has to be 0 or more"),
        ({**DEFINITION, "prune": "on"}, 'prune: has to be "off" or "mirror"'),
        ({**DEFINITION, "jitter": "soon"}, "jitter: has to be a duration, such as 30m, 12h or 7d"),
        (
            {**DEFINITION, "name": "a b"},
            "name: has to be up to 100 letters, digits, dots, dashes and underscores, a letter or "
            "digit first",
        ),
        ({**DEFINITION, "destinations": []}, "destinations: must not be empty"),
    ],
)
async def test_a_mistake_is_told_in_words(api, body, detail):
    answer = await api.post("/rules/validation", json=body)

    assert (answer.status_code, answer.json()["detail"]) == (422, detail)


async def test_a_body_that_does_not_say_what_it_is_hears_how_to(api):
    answer = await api.post("/runs", content=b'{"rule": "base"}')

    assert (answer.status_code, answer.json()["field"]) == (422, "body")
    assert "Content-Type: application/json" in answer.json()["detail"]


async def test_a_run_that_waits_has_not_started(api, rules):
    waiting = (await api.post("/runs", json={"rule": "base"})).json()

    assert (waiting["state"], waiting["started_at"]) == ("queued", None)


async def test_two_rules_of_one_name_or_for_one_tag_are_refused(api, as_who, rules):
    twice = await api.post("/rules", json={**DEFINITION, "name": "base"})
    same = {**DEFINITION, "source": "x.invalid/alpine"}
    same["destinations"] = ["registry.example.com/base/alpine"]
    conflict = await api.post("/rules", json=same)
    async with as_who(Identity("team", Role.ADMIN, ("new",), "token")) as limited:
        unseen = await limited.post("/rules", json=same)

    assert (twice.status_code, twice.json()["code"]) == (409, "name_taken")
    assert conflict.status_code == 422
    assert "base" in conflict.json()["detail"]
    assert unseen.status_code == 422
    assert "base" not in unseen.json()["detail"]


async def test_a_start_with_a_key_is_done_once(api, rules):
    key = {"Idempotency-Key": "k-1"}
    first = await api.post("/runs", json={"rule": "base"}, headers=key)
    again = await api.post("/runs", json={"rule": "base"}, headers=key)
    other = await api.post("/runs", json={"rule": "team-a"}, headers=key)
    without = await api.post("/runs", json={"rule": "base"})
    runs = (await api.get("/runs")).json()["items"]

    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert again.headers["idempotent-replay"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert "another key" in other.json()["detail"]
    assert (without.status_code, without.json()["code"]) == (409, "run_active")
    assert [each["id"] for each in runs] == [first.json()["id"]]


async def test_a_definition_that_is_wrapped_is_told_to_come_alone(api, rules):
    answer = await api.put("/rules/base?revision=1", json={"definition": DEFINITION})

    assert answer.status_code == 422
    assert "what is in it is sent alone" in answer.text
    assert "did you mean" not in answer.text


async def test_a_plan_that_saw_no_source_is_not_complete(api):
    dead = {**DEFINITION, "source": "127.0.0.1:1/b"}
    plan = (await api.post("/rules/plan", json=dead)).json()

    assert (plan["state"], plan["complete"]) == ("failed", False)


def test_a_plan_that_found_nothing_to_do_is_complete():
    report = RunReport("base", RunState.SUCCEEDED, NOON, NOON)

    assert PlanAnswer.of(report, 5).complete


async def test_a_start_that_failed_may_come_again_with_its_key(api, rules):
    key = {"Idempotency-Key": "k-2"}
    waiting = (await api.post("/runs", json={"rule": "base"})).json()["id"]
    refused = await api.post("/runs", json={"rule": "base"}, headers=key)
    await api.post(f"/runs/{waiting}/cancel")
    started = await api.post("/runs", json={"rule": "base"}, headers=key)

    assert refused.status_code == 409
    assert started.status_code == 202


async def test_runs_are_cancelled_and_repeated_and_that_is_written_down(api, rules, runs):
    waiting = (await api.post("/runs", json={"rule": "base"})).json()
    cancelled = await api.post(f"/runs/{waiting['id']}/cancel")
    again = await api.post(f"/runs/{waiting['id']}/cancel")
    retried = await api.post(f"/runs/{runs[0]}/retry", json={"failed": True})

    assert (waiting["state"], waiting["trigger"]) == ("queued", "token: ada")
    assert cancelled.json()["state"] == "cancelled"
    assert (again.status_code, again.json()["code"]) == (409, "run_finished")
    assert retried.json()["only"] == ["a.io/b:2.0"]
    assert ("retry", "run", runs[0]) in await audited(api)
    assert ("cancel", "run", waiting["id"]) in await audited(api)


async def test_a_credential_of_another_registry_is_not_replaced(api, office):
    login = {"host": "a.example.com", "username": "robot", "password": "first"}
    await api.put("/credentials/robot", json=login)
    other = {**login, "host": "b.example.com", "password": "second"}
    refused = await api.put("/credentials/robot", json=other)
    kept = await office.credentials.reveal("robot", "a.example.com")
    await api.delete("/credentials/robot")
    taken = await api.put("/credentials/robot", json=other)

    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    assert "'robot' is for a.example.com" in refused.json()["detail"]
    assert "lose it to b.example.com" in refused.json()["detail"]
    assert kept.password == "first"
    assert (taken.status_code, taken.json()["host"]) == (200, "b.example.com")


async def test_no_answer_has_a_secret_that_came_in(api, database, caplog):
    caplog.set_level("DEBUG")
    login = {"host": "registry.example.com", "username": "robot", "password": CANARY}
    answers = [
        await api.put("/credentials/harbor", json=login),
        await api.put("/credentials/harbor", json=login),
        await api.put("/credentials/harbor", json={**login, "host": 1}),
        await api.put("/credentials/harbor", json={**login, "username": "", "unknown": CANARY}),
        await api.put("/credentials/harbor", content=f'{{"password": "{CANARY}"'),
        await api.get("/credentials"),
        await api.put("/registries/a.io", json={"credential": {"password": CANARY}}),
        await api.put("/registries/a.io", json={"proxy": f"http://u:{CANARY}@proxy:1"}),
        await api.get("/registries"),
        await api.get("/audit"),
    ]

    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert {answer.status_code for answer in answers[2:5]} == {422}
    for answer in answers:
        assert CANARY not in answer.text
        assert "canary-of-the-file" not in answer.text
    assert CANARY not in caplog.text


async def test_a_registry_names_no_login_that_is_not_kept_for_it(api):
    entry = {"kind": "harbor", "credential": {"stored": "robot"}}
    missing = await api.put("/registries/a.example.com", json=entry)
    login = {"host": "b.example.com", "username": "robot", "password": CANARY}
    await api.put("/credentials/robot", json=login)
    of_another = await api.put("/registries/a.example.com", json=entry)
    kept = await api.put("/registries/b.example.com", json=entry)
    gone = await api.get("/registries/a.example.com")

    assert (missing.status_code, of_another.status_code) == (422, 422)
    assert missing.json()["detail"] == (
        "registries.\"a.example.com\".credential.stored: there is no credential 'robot'; "
        "`replicate credential set robot --host a.example.com` makes it"
    )
    assert of_another.json()["detail"] == (
        "registries.\"a.example.com\".credential.stored: the credential 'robot' is for "
        "b.example.com; set another one for a.example.com"
    )
    assert (kept.status_code, gone.status_code) == (200, 404)


async def test_a_registry_whose_address_changes_loses_its_secret(api):
    entry = {"kind": "harbor", "credential": {"stored": "other"}}
    login = {"host": "other.example.com", "username": "robot", "password": CANARY}
    await api.put("/credentials/other", json=login)
    await api.put("/registries/other.example.com", json=entry)
    same = await api.put("/registries/other.example.com", json={**entry, "retries": 2})
    moved = await api.put(
        "/registries/other.example.com", json={**entry, "endpoint": "evil.example"}
    )
    credentials = (await api.get("/credentials")).json()["items"]

    assert same.json()["cleared_credentials"] == []
    assert moved.json()["cleared_credentials"] == ["other"]
    assert [each["is_set"] for each in credentials] == [False]
    assert ("clear", "credential", "other") in await audited(api)


def read_events(text):
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


async def test_a_run_is_followed_to_its_end_and_nothing_is_told_twice(api, office, database):
    kept = Runs(database, Owner.this_process())
    record = await kept.start(a_rule("base"), "hand", NOON)
    digest, layer = Digest.of(b"image"), Digest.of(b"layer")
    with bound_contextvars(run=record.id):
        office.live.hear(events.TagStarted("a.io/b:1", ALPINE, Tag("1"), {}))
        # Of another image, which goes on to move.
        office.live.hear(events.BlobStarted(ALPINE, layer, 100))
        office.live.hear(events.BlobProgressed(ALPINE, layer, 40))

    following = asyncio.create_task(api.get(f"/runs/{record.id}/events"))
    await asyncio.sleep(0)
    with bound_contextvars(run=record.id):
        office.live.hear(events.TagFinished("a.io/b:1", ALPINE, Tag("1"), digest, None))
    await kept.finish(record.id, RunState.SUCCEEDED, Totals(), NOON)
    told = read_events((await following).text)
    last = told[-2]["id"]
    again = read_events(
        (await api.get(f"/runs/{record.id}/events", headers={"Last-Event-ID": last})).text
    )
    after = await api.get(f"/runs/{record.id}/events", headers={"Last-Event-ID": "end"})

    kinds = [each["event"] for each in told]
    assert kinds.count("tag_started") == kinds.count("tag_finished") == 1
    assert json.loads(next(each for each in told if each["event"] == "blobs")["data"])[0] == {
        "destination": str(ALPINE),
        "digest": str(layer),
        "done": 40,
        "size": 100,
        "tags": [],
    }
    assert told[-1]["event"] == "end"
    assert {each["event"] for each in again} <= {"run", "blobs", "end"}
    assert after.status_code == 204


async def test_who_loses_his_token_hears_no_more(office, database):
    secret, _ = await office.tokens.create("watcher", Role.VIEWER)
    record = await Runs(database, Owner.this_process()).start(a_rule("base"), "hand", NOON)
    app = Starlette(routes=list(api_routes(office, "127.0.0.1")))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://127.0.0.1/api/v1",
        headers={"Authorization": f"Bearer {secret}"},
    ) as client:
        following = asyncio.create_task(client.get(f"/runs/{record.id}/events"))
        await asyncio.sleep(0)
        await office.tokens.revoke("watcher")
        async with asyncio.timeout(20):
            told = read_events((await following).text)

    assert [each["event"] for each in told][:1] in ([], ["run"])
    assert "end" not in {each["event"] for each in told}
