"""What is shown of rules, runs, tags, registries and the audit, and to whom."""

from __future__ import annotations

from replicator.planning.backoff import Failing
from replicator.registry.settings import Credentials
from replicator.service.access.identity import Identity, Role
from replicator.store.ledger import Ledger
from replicator.store.notes import TagNotes
from replicator.store.records import NoteChanges
from replicator.store.rules import Rules
from tests.api.conftest import a_rule
from tests.store.values import ALPINE, NOON, blob, published

TEAM = Identity("team", Role.ADMIN, ("team-*",), "token")


async def all_pages(api, path, **query):
    """Follow the cursors to the end, and return all items and the sizes of pages."""
    items, sizes, cursor = [], [], None
    while True:
        asked = query if cursor is None else {**query, "cursor": cursor}
        answer = await api.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        items += body["items"]
        sizes.append(len(body["items"]))
        cursor = body["next"]
        if cursor is None:
            return items, sizes


async def test_rules_come_by_name_and_page_by_page(api, rules):
    items, sizes = await all_pages(api, "/rules", limit=2)

    assert [item["name"] for item in items] == ["base", "team-a", "team-b"]
    assert sizes == [2, 1]
    assert items[0] == {
        "name": "base",
        "revision": 1,
        "origin": "api",
        "enabled": True,
        "definition": {
            "name": "base",
            "source": "docker.io/library/alpine",
            "destinations": ["registry.example.com/base/alpine"],
        },
    }


async def test_rules_are_found_by_a_part_of_their_text(api, rules):
    items, _ = await all_pages(api, "/rules", text="TEAM-A")

    assert [item["name"] for item in items] == ["team-a"]


async def test_runs_come_newest_first_and_are_filtered(api, runs):
    items, sizes = await all_pages(api, "/runs", limit=1)
    of_base, _ = await all_pages(api, "/runs", rule="base", state="partial")
    none, _ = await all_pages(api, "/runs", state="running")

    assert [item["id"] for item in items] == runs[::-1]
    assert sizes == [1, 1, 1]
    assert [item["id"] for item in of_base] == [runs[2], runs[0]]
    assert none == []


async def test_a_run_tells_its_numbers_and_its_tags(api, runs):
    run = (await api.get(f"/runs/{runs[0]}")).json()
    tags, sizes = await all_pages(api, f"/runs/{runs[0]}/tags", limit=2)
    failed, _ = await all_pages(api, f"/runs/{runs[0]}/tags", outcome="failed")
    searched, _ = await all_pages(api, f"/runs/{runs[0]}/tags", text="no righ")

    assert (run["state"], run["bytes"]["moved"]) == ("partial", 7)
    assert run["counts"] == {"copied": 2, "failed": 1}
    assert [tag["tag"] for tag in tags] == ["1.0", "2.0", "3.0"]
    assert sizes == [2, 1]
    assert failed == searched
    assert failed[0]["error"] == {
        "error_class": "denied",
        "message": "no rights",
        "side": "destination",
        "status": 403,
        "code": "DENIED",
    }


async def test_a_large_limit_is_cut_and_a_bad_one_refused(api, database):
    for number in range(205):
        await Rules(database).put(a_rule(f"rule-{number:03}"))

    _, sizes = await all_pages(api, "/rules", limit=1_000_000)
    answer = await api.get("/rules", params={"limit": 0})

    assert sizes == [200, 5]
    assert (answer.status_code, answer.json()["field"]) == (422, "limit")


async def test_a_cursor_of_nobody_is_refused(api):
    for cursor in ("x", "", "W10=", "WzFd", "bnVsbA==", "é", "W" * 3000):
        answer = await api.get("/rules", params={"cursor": cursor})

        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["field"] == "cursor"


async def test_a_parameter_that_is_not_known_is_refused(api):
    for path in ("/rules", "/runs", "/status", "/registries", "/audit"):
        answer = await api.get(path, params={"sort": "hash"})

        assert answer.status_code == 422
        assert answer.json()["field"] == "sort"


async def test_the_status_says_what_fails(api, rules, runs, database):
    failing = Failing(
        *(ALPINE, published().tag, "base", "a.io/b:1", 3, "denied", "no rights", "destination"),
        *(NOON, NOON, NOON, runs[0]),
    )
    await TagNotes(database).change("base", NoteChanges(failing=[failing]))

    status = (await api.get("/rules/base/status")).json()
    listed, _ = await all_pages(api, "/status", limit=2)

    assert (status["last_run"], status["state"]) == (runs[2], "partial")
    assert status["failing"][0]["message"] == "no rights"
    assert [each["rule"] for each in listed] == ["base", "team-a", "team-b"]


async def test_registries_are_shown_without_secrets(api):
    answer = await api.get("/registries/registry.example.com")

    assert answer.json()["kind"] == "harbor"
    assert answer.json()["login"] == "acme"
    assert answer.json()["settings"]["proxy"] == "http://proxy:1"
    assert "canary" not in answer.text


async def test_a_tag_is_explained_and_a_digest_is_found(api, rules, database):
    row = published(rule="base")
    layer = blob(b"layer")
    await Ledger(database).record([row], [(ALPINE, layer)], at=NOON)

    explained = await api.get("/explain", params={"reference": f"{ALPINE}:3.20"})
    of_tag = (await api.get(f"/digests/{row.digest}")).json()
    of_blob = (await api.get(f"/digests/{layer.digest}")).json()

    assert explained.status_code == 200, explained.text
    assert explained.json()["rules"][0]["rule"] == "base"
    assert [each["tag"] for each in of_tag["tags"]] == ["3.20"]
    assert [each["repository"] for each in of_blob["blobs"]] == [str(ALPINE)]


async def test_tokens_and_credentials_come_in_pages(api, office):
    names = [f"n{n}" for n in range(5)]
    for name in names:
        await office.tokens.create(name, Role.VIEWER)
        await office.credentials.put(name, "registry.example.com", Credentials("u", "p", ""))

    for path in ("/tokens", "/credentials"):
        items, sizes = await all_pages(api, path, limit=2)
        assert [each["name"] for each in items] == names
        assert sizes == [2, 2, 1]


async def test_who_is_limited_to_some_rules_sees_no_trace_of_others(as_who, rules, runs, database):
    row = published(rule="base")
    await Ledger(database).record([row], [(ALPINE, blob(b"layer"))], at=NOON)
    async with as_who(TEAM) as api:
        names, _ = await all_pages(api, "/rules")
        listed, _ = await all_pages(api, "/runs")
        status, _ = await all_pages(api, "/status")
        explained = (await api.get("/explain", params={"reference": f"{ALPINE}:3.20"})).json()
        found = (await api.get(f"/digests/{row.digest}")).json()
        hidden, missing = await api.get("/rules/base"), await api.get("/rules/nothing")
        run = await api.get(f"/runs/{runs[0]}")
        registries, _ = await all_pages(api, "/registries")
        audit = await api.get("/audit")

    assert [each["name"] for each in names] == ["team-a", "team-b"]
    assert [each["id"] for each in listed] == [runs[1]]
    assert [each["rule"] for each in status] == ["team-a", "team-b"]
    assert explained["rules"] == []
    assert (found["tags"], found["blobs"]) == ([], [])
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.text.replace("base", "nothing") == missing.text
    assert run.status_code == 404
    assert registries == []
    assert audit.status_code == 403


async def test_what_is_not_there_is_a_problem_too(api):
    answer, method = await api.get("/nothing"), await api.put("/rules")
    plan, rule = await api.options("/rules/plan"), await api.options("/rules/base")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "/api/v1/openapi.json" in answer.json()["detail"]
    assert (method.status_code, method.json()["code"]) == (405, "method_not_allowed")
    assert method.json()["detail"] == "PUT is not for this path; it takes GET, POST"
    assert (plan.headers["allow"], rule.headers["allow"]) == ("POST", "DELETE, GET, PUT")


async def test_what_is_no_id_of_a_run_is_a_run_that_is_not_there(api):
    answer = await api.get("/runs/1999")

    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")


async def test_a_body_of_more_than_a_mebibyte_is_refused_whatever_its_length_says(api):
    async def endless():
        for _ in range(20):
            yield b"x" * 100_000

    said = await api.post("/registries/a/check", content=b"x" * (1024 * 1024 + 1))
    unsaid = await api.post("/rules", content=endless())

    for answer in (said, unsaid):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_page_of_another_origin_changes_nothing(api):
    answer = await api.post("/registries/a/check", headers={"Origin": "http://evil.example"})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
