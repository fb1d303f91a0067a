"""Who asks is found out by the token that is shown, or by nobody being able to ask from outside."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette

from replicator.api.v1.doorman import is_loopback, require_safe_address
from replicator.api.v1.mounting import api_routes, say_who_may_ask
from replicator.errors import ConfigError
from replicator.service.access.identity import Role

EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.fixture
def database_url(tmp_path):
    """Who asks is not for the database to say: one kind will do."""
    return f"sqlite:///{tmp_path}/replicator.db"


@pytest.fixture
def served(office):
    @asynccontextmanager
    async def ask(listening_on="127.0.0.1", **headers):
        app = Starlette(routes=list(api_routes(office, listening_on)))
        transport = httpx.ASGITransport(app)
        address = "http://127.0.0.1:8080/api/v1"
        async with httpx.AsyncClient(transport=transport, base_url=address) as client:
            client.headers.update(headers)
            yield client

    return ask


async def test_without_tokens_everybody_on_this_machine_may_ask(served):
    async with served() as api:
        local = await api.get("/rules")
        named = await api.get("/rules", headers={"Host": "localhost:8080"})
        six = await api.get("/rules", headers={"Host": "[::1]:8080"})
        rebound = await api.get("/rules", headers={"Host": "evil.example:8080"})
        empty = await api.get("/rules", headers={"Host": ""})

    assert local.status_code == named.status_code == six.status_code == 200
    assert rebound.status_code == empty.status_code == 403


async def test_on_an_address_of_others_nobody_may_ask_without_a_token(served):
    async with served(EVERYWHERE) as api:
        for path in ("/rules", "/openapi.json", "/nothing"):
            answer = await api.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_programs_that_miss_the_version_of_the_api_are_told_where_it_is(served):
    async with served() as api:
        answers = [
            await api.get(f"http://127.0.0.1:8080{path}")
            for path in ("/api", "/api/v1", "/api/v2/rules")
        ]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.json()["detail"] == "the API is below /api/v1"


async def test_a_service_says_who_may_ask_where_that_is_not_whoever_shows_a_token(office, caplog):
    await say_who_may_ask(office, "127.0.0.1")
    await say_who_may_ask(office, EVERYWHERE)
    await office.tokens.create("first", Role.ADMIN)
    await say_who_may_ask(office, "127.0.0.1")
    await say_who_may_ask(replace(office, tokens=None), "127.0.0.1")

    everybody, nobody, without_key = caplog.messages
    assert everybody.startswith("everybody on this machine")
    assert nobody.startswith("nobody may use the API yet")
    assert "no secret key" in without_key


async def test_tokens_that_a_service_has_no_key_for_are_not_said_to_be_unknown(office):
    secret, _ = await office.tokens.create("ci", Role.VIEWER)
    keyless = replace(office, tokens=None)
    app = Starlette(routes=list(api_routes(keyless, "127.0.0.1")))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        without = await client.get("/api/v1/rules")
        shown = await client.get("/api/v1/rules", headers={"Authorization": f"Bearer {secret}"})

    for answer in (without, shown):
        assert answer.status_code == 401
        assert "tokens exist" in answer.json()["detail"]
        assert "restart it with the key" in answer.json()["detail"]
        assert "$REPLICATOR_SECRET_KEY, or secret_key_file" in answer.json()["detail"]


async def test_from_the_first_token_on_everybody_needs_one(served, office):
    secret, _ = await office.tokens.create("ci", Role.VIEWER)
    async with served() as api:
        without = await api.get("/rules")
        shown = await api.get("/rules", headers={"Authorization": f"Bearer {secret}"})
        listed = (await office.tokens.all())[0]
        await office.tokens.revoke("ci")
        revoked = await api.get("/rules", headers={"Authorization": f"Bearer {secret}"})
        after = await api.get("/rules")

    assert (without.status_code, shown.status_code) == (401, 200)
    assert listed.used_at is not None
    assert (revoked.status_code, after.status_code) == (401, 401)
    assert secret not in revoked.text


@pytest.mark.parametrize(
    "shown",
    ["Bearer", "Bearer x", "Basic dTpw", f"Bearer rplt_{'a' * 43}", f"Bearer rplt_{'é' * 43}"],
)
async def test_what_is_no_token_does_not_count_even_where_none_is_needed(served, shown):
    async with served(EVERYWHERE) as api:
        answer = await api.get("/rules", headers={"Authorization": shown.encode()})

    assert answer.status_code == 401


async def test_a_token_is_over_when_its_time_is(served, office):
    secret, _ = await office.tokens.create("brief", Role.VIEWER, lifetime=timedelta(microseconds=1))
    async with served(Authorization=f"Bearer {secret}") as api:
        assert (await api.get("/rules")).status_code == 401


async def test_tokens_are_made_and_revoked_over_the_api(served, office):
    admin, _ = await office.tokens.create("admin", Role.ADMIN)
    async with served(Authorization=f"Bearer {admin}") as api:
        made = await api.post(
            "/tokens", json={"name": "team", "role": "operator", "rules": ["team-*"]}
        )
        twice = await api.post("/tokens", json={"name": "team", "role": "viewer"})
        listed = await api.get("/tokens")
        secret = made.json()["secret"]
        limited = await api.get("/tokens", headers={"Authorization": f"Bearer {secret}"})
        gone = await api.delete("/tokens/team")
        audit = await api.get("/audit")

    assert (made.status_code, twice.status_code, gone.status_code) == (201, 409, 204)
    assert limited.status_code == 403
    assert secret not in listed.text + audit.text
    assert audit.json()["items"][0]["actor"] == "admin"


def test_an_address_that_others_reach_needs_a_key():
    with pytest.raises(ConfigError, match="replicate token create"):
        require_safe_address(EVERYWHERE, 8080, has_login=False)
    require_safe_address(EVERYWHERE, 8080, has_login=True)
    require_safe_address("127.0.0.1", 8080, has_login=False)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)),
        *(
            (EVERYWHERE, False),
            ("::", False),
            ("10.0.0.1", False),
            ("localhost.evil.example", False),
        ),
    ],
)
def test_what_is_loopback(host, is_local):
    assert is_loopback(host) is is_local
