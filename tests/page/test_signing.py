"""Signing in and out, and how long that counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from replicator.service.access.identity import Identity, Role
from replicator.service.access.page_sessions import SessionDesk
from replicator.store.operating_tables import page_session
from replicator.store.page_sessions import PageSessions
from tests.page.conftest import ORIGIN

HOUR = timedelta(hours=1)


@pytest.fixture
async def token(office):
    secret, _ = await office.tokens.create("ada", Role.OPERATOR)
    return secret


async def sign_in(browser, token, **fields):
    return await browser.post("/sign-in", token=token, **fields)


async def test_who_is_not_signed_in_is_asked_to(browsing, token):
    async with browsing(None) as browser:
        page = await browser.get("/rules/x?text=y")
        form = await browser.get(page.headers["location"])
        part = await browser.get("/", **{"HX-Request": "true", "HX-Current-URL": f"{ORIGIN}/a/b"})
        change = await browser.post("/rules/x/run")

    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=/rules/x")
    assert 'name="next" value="/rules/x"' in form.text
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/sign-in?next=/a/b")
    assert change.status_code == 401


async def test_a_token_opens_a_session_of_its_role(browsing, token, database):
    async with browsing(None) as browser:
        answer = await sign_in(browser, token, next="/activity")
        page = await browser.get("/activity")
        refused = await browser.get("/rules/new")
    async with database.reading() as connection:
        (row,) = await connection.execute(select(page_session))

    cookie = answer.headers["set-cookie"].lower()
    held = answer.cookies["replicate"]
    assert (answer.status_code, answer.headers["location"]) == (303, "/activity")
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert page.status_code == 200
    assert "<b>ada</b>" in page.text
    assert "sign in session" in page.text
    assert refused.status_code == 403
    # Whoever reads the database cannot sign in with what is there.
    assert held.encode() not in row.hash
    assert token not in page.text


async def test_tokens_without_their_key_are_said_to_need_it(browsing, office, token):
    async with browsing(None, of=replace(office, tokens=None)) as browser:
        form = await browser.get("/sign-in")
        sent = await sign_in(browser, token)

    assert sent.status_code == 401
    for page in (form, sent):
        assert page.text.lower().count("tokens exist, but this service has no secret key") == 1
        assert "only this machine may use it" not in page.text


async def test_over_tls_the_cookie_is_for_this_host_alone(browsing, token):
    async with browsing(None) as browser:
        browser.client.base_url = "https://replicate.test"
        answer = await browser.post("/sign-in", token=token, origin="https://replicate.test")

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-replicate=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


async def test_a_token_that_does_not_count_opens_nothing(browsing, token):
    async with browsing(None) as browser:
        for shown in ("", "rplt_" + "x" * 43, "<script>", "x" * 10_000):
            answer = await sign_in(browser, shown)

            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers
            assert "does not count" in answer.text


async def test_signing_in_leads_nowhere_else(browsing, token):
    async with browsing(None) as browser:
        for back in ("//evil.example", "https://evil.example", "/\\evil.example", "x:1", "/\n"):
            answer = await sign_in(browser, token, next=back)

            assert answer.headers["location"] == "/"


async def test_a_form_of_another_page_does_not_sign_in(browsing, token):
    async with browsing(None) as browser:
        answer = await browser.post("/sign-in", token=token, origin="http://evil.example")

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_signing_out_ends_the_session_wherever_its_cookie_is(browsing, token):
    async with browsing(None) as browser:
        await sign_in(browser, token)
        await browser.get("/")
        held = browser.client.cookies["replicate"]
        answer = await browser.post("/sign-out")
        after = await browser.get("/")
        browser.client.cookies.set("replicate", held)
        stolen = await browser.get("/")

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert after.status_code == stolen.status_code == 303


async def test_a_session_ends_with_its_token(browsing, token, office):
    async with browsing(None) as browser:
        await sign_in(browser, token)
        before = await browser.get("/")
        await office.tokens.revoke("ada")
        after = await browser.get("/")

    assert (before.status_code, after.status_code) == (200, 303)


async def test_a_form_of_another_session_is_refused(browsing, token):
    async with browsing(None) as first, browsing(None) as second:
        await sign_in(first, token)
        await first.get("/")
        await sign_in(second, token)
        await second.get("/")
        second.csrf = first.csrf
        answer = await second.post("/sign-out")

    assert answer.status_code == 403


async def test_a_session_is_over_when_nobody_used_it_for_half_an_hour(database, token):
    now = [datetime.now(UTC)]
    desk, who = _desk(database, now)
    secret = await desk.open(who, token="ada")

    now[0] += timedelta(minutes=29)
    used = await desk.find(secret, notes_use=True)
    now[0] += timedelta(minutes=29)
    looked_at = await desk.find(secret, notes_use=False)
    now[0] += timedelta(minutes=2)
    unused = await desk.find(secret, notes_use=True)

    assert used is not None
    assert looked_at is not None
    assert unused is None


async def test_a_session_is_over_after_twelve_hours_in_any_case(database, token):
    now = [datetime.now(UTC)]
    desk, who = _desk(database, now)
    secret = await desk.open(who, token="ada")

    for _ in range(47):
        now[0] += timedelta(minutes=15)
        assert await desk.find(secret, notes_use=True) is not None
    now[0] += timedelta(minutes=15)

    assert await desk.find(secret, notes_use=True) is None


async def test_sessions_that_are_over_are_forgotten(database, token):
    now = [datetime.now(UTC)]
    desk, who = _desk(database, now)
    await desk.open(who, token="ada")
    now[0] += HOUR
    await desk.open(who, token="ada")

    async with database.reading() as connection:
        assert len((await connection.execute(select(page_session))).all()) == 1


def _desk(database, now):
    desk = SessionDesk(PageSessions(database), lambda: now[0])
    return desk, Identity("ada", Role.VIEWER, ("team-*",), "token")
