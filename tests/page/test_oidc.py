"""Signing in at a provider of logins: a real one, as a browser does it."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select

from replicator import bootstrap
from replicator.notify.settings import Secret
from replicator.office import open_office
from replicator.oidc.settings import Grant, OidcSettings
from replicator.page.app import create_page
from replicator.service.access.identity import Role
from replicator.store.operating_tables import page_session
from tests.page.conftest import ORIGIN, Browser
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, oidc_provider

GRANTS = (
    Grant("platform", Role.ADMIN),
    Grant("payments", Role.OPERATOR, ("payments-*",)),
)
FORM = re.compile(r'<form[^>]* action="([^"]+)"')


@pytest.fixture
def database_url(tmp_path):
    """What is asked of a provider does not depend on where sessions are kept."""
    return f"sqlite:///{tmp_path}/replicator.db"


@pytest.fixture(scope="module")
def issuer():
    with oidc_provider([ORIGIN, "https://replicate.test"]) as found:
        yield found


@pytest.fixture
def visiting(config, database):
    """Open a browser of somebody unknown, at a page whose people sign in as the settings say."""

    @asynccontextmanager
    async def open_browser(settings):
        whole = replace(config, service=replace(config.service, oidc=settings))
        async with (
            bootstrap.open_serving(whole) as served,
            open_office(whole, served) as office,
        ):
            from replicator.api.v1.doorman import doorman

            knows = doorman(office, "127.0.0.1")
            transport = httpx.ASGITransport(create_page(office, knows))
            async with httpx.AsyncClient(transport=transport, base_url=settings.url) as client:
                yield Browser(client)

    return open_browser


def settings_for(issuer, **others):
    return OidcSettings(issuer, CLIENT_ID, ORIGIN, Secret(CLIENT_SECRET), grants=GRANTS, **others)


async def at_provider(address, login):
    """Show the provider who one is, and return where it sends the browser back to."""
    async with httpx.AsyncClient(follow_redirects=True) as browser:
        form = await browser.get(address)
        to = FORM.search(form.text)[1]
        fields = {"prompt": "login", "login": login, "password": "any"}
        answer = await browser.post(str(form.url.join(to)), data=fields, follow_redirects=False)
        while answer.status_code in (302, 303):
            address = str(answer.url.join(answer.headers["location"]))
            if not address.startswith(str(form.url.join("/"))):
                return address
            answer = await browser.get(address, follow_redirects=False)
    raise AssertionError(f"the provider shows {answer.status_code} {answer.text[:500]}")


async def sign_in(browser, login, back="/"):
    begun = await browser.get(f"/sign-in/oidc?next={back}")
    assert begun.status_code == 303, begun.text
    return await browser.get(await at_provider(begun.headers["location"], login))


def told(caplog):
    """Return what the log says of sign-ins that failed."""
    records = [each for each in caplog.records if each.getMessage() == "sign-in failed"]
    assert all(each.levelname == "WARNING" for each in records)
    return [f"{each.issuer}: {each.error}" for each in records]


@pytest.mark.parametrize(
    ("in_id_token", "method"),
    [(True, "client_secret_post"), (False, "none")],
)
async def test_every_way_in_which_providers_know_a_client_is_spoken(visiting, in_id_token, method):
    with oidc_provider([ORIGIN], in_id_token=in_id_token, method=method) as issuer:
        settings = settings_for(issuer)
        if method == "none":
            settings = replace(settings, client_secret=Secret())
        async with visiting(settings) as browser:
            answer = await sign_in(browser, "ada")

    assert answer.headers["location"] == "/"


async def test_whoever_the_provider_knows_is_let_in_with_what_is_granted(
    visiting, issuer, database
):
    async with visiting(settings_for(issuer)) as browser:
        form = await browser.get("/sign-in?next=/activity")
        answer = await sign_in(browser, "ada", back="/activity")
        page = await browser.get("/activity")
    async with database.reading() as connection:
        (row,) = await connection.execute(select(page_session))

    assert issuer.partition("//")[2] in form.text
    assert "/sign-in/oidc?next=%2Factivity" in form.text
    assert (answer.status_code, answer.headers["location"]) == (303, "/activity")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "<b>oidc:ada.l</b>" in page.text
    assert "sign in session" in page.text
    assert issuer in page.text
    assert CLIENT_SECRET not in page.text
    assert (row.role, row.patterns, row.token) == ("admin", None, None)


async def test_a_group_may_be_limited_to_some_rules(visiting, issuer, database):
    async with visiting(settings_for(issuer)) as browser:
        await sign_in(browser, "olga")
        activity = await browser.get("/activity")
        new = await browser.get("/rules/new")
    async with database.reading() as connection:
        (row,) = await connection.execute(select(page_session))

    assert (row.subject, row.role, row.patterns) == ("oidc:olga", "operator", ["payments-*"])
    assert (activity.status_code, new.status_code) == (403, 403)


async def test_whoever_nothing_is_granted_to_is_told_so(visiting, issuer, database, caplog):
    async with visiting(settings_for(issuer)) as browser:
        answer = await sign_in(browser, "vera")
        page = await browser.get("/")
    async with database.reading() as connection:
        rows = (await connection.execute(select(page_session))).all()

    assert answer.status_code == 403
    assert "vera is known to" in answer.text
    assert "nothing is granted here" in answer.text
    assert ["vera is known to" in line for line in told(caplog)] == [True]
    assert page.status_code == 303
    assert rows == []


async def test_everybody_whom_the_provider_knows_may_have_a_role(visiting, issuer):
    settings = settings_for(issuer, default_role=Role.VIEWER)
    async with visiting(settings) as browser:
        await sign_in(browser, "vera")
        page = await browser.get("/")

    assert '<b>oidc:vera</b> <span class="muted">viewer' in page.text


async def test_a_hostile_name_stays_text(visiting, issuer):
    async with visiting(settings_for(issuer)) as browser:
        await sign_in(browser, "hugo")
        page = await browser.get("/activity")

    assert "<script>alert" not in page.text
    assert "oidc:&lt;script&gt;" in page.text


async def test_over_tls_both_cookies_are_for_this_host_alone(visiting, issuer):
    settings = replace(settings_for(issuer), url="https://replicate.test")
    async with visiting(settings) as browser:
        begun = await browser.get("/sign-in/oidc")
        answer = await browser.get(await at_provider(begun.headers["location"], "ada"))

    assert begun.headers["set-cookie"].startswith("__Host-replicate-sign-in=")
    session = [each for each in answer.headers.get_list("set-cookie") if "replicate=" in each]
    assert session[0].startswith("__Host-replicate=")
    assert all("Secure" in each and "Path=/" in each for each in session)


async def test_signing_out_offers_to_sign_out_at_the_provider(visiting, issuer):
    async with visiting(settings_for(issuer)) as browser:
        await sign_in(browser, "ada")
        await browser.get("/")
        held = browser.client.cookies["replicate"]
        answer = await browser.post("/sign-out")
        form = await browser.get(answer.headers["location"])
        browser.client.cookies.set("replicate", held)
        stolen = await browser.get("/")

    there = re.search(r'href="(http[^"]+/session/end[^"]*)"', form.text)[1].replace("&amp;", "&")
    async with httpx.AsyncClient() as other:
        asked = await other.get(there)
    assert "You are signed out" in form.text
    assert stolen.status_code == 303
    assert there.startswith(issuer)
    assert asked.status_code == 200


async def test_what_is_asked_of_the_provider_shows_no_secret(visiting, issuer):
    async with visiting(settings_for(issuer)) as browser:
        begun = await browser.get("/sign-in/oidc?next=//evil.example")
        again = await browser.get("/sign-in/oidc")

    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    other = parse_qs(urlsplit(again.headers["location"]).query)
    held = begun.cookies["replicate-sign-in"].partition(".")[0]
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{ORIGIN}/sign-in/callback"]
    assert held not in begun.headers["location"]
    values = {asked[name][0] for name in ("state", "nonce", "code_challenge")}
    assert len(values) == 3
    assert values.isdisjoint({other[name][0] for name in ("state", "nonce", "code_challenge")})


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_signing_in_leads_nowhere_else(visiting, issuer, back):
    async with visiting(settings_for(issuer)) as browser:
        answer = await sign_in(browser, "ada", back=back)

    assert answer.headers["location"] == "/"


async def test_only_the_browser_that_began_can_end_it(visiting, issuer):
    async with visiting(settings_for(issuer)) as browser:
        begun = await browser.get("/sign-in/oidc")
        address = await at_provider(begun.headers["location"], "ada")
        browser.client.cookies.clear()
        without = await browser.get(address)
        await browser.get("/sign-in/oidc")
        with_another = await browser.get(address)
        replayed = await sign_in(browser, "ada")
        again = await browser.get(address)

    assert without.status_code == with_another.status_code == again.status_code == 401
    assert "has begun no sign-in" in without.text
    assert "not to what this browser asked" in with_another.text
    assert replayed.status_code == 303
    assert all("replicate=" not in str(each.headers) for each in (without, with_another, again))


async def test_a_code_counts_once(visiting, issuer, caplog):
    async with visiting(settings_for(issuer)) as browser:
        begun = await browser.get("/sign-in/oidc")
        held = browser.client.cookies["replicate-sign-in"]
        address = await at_provider(begun.headers["location"], "ada")
        first = await browser.get(address)
        browser.client.cookies.clear()
        browser.client.cookies.set("replicate-sign-in", held)
        second = await browser.get(address)

    assert first.status_code == 303
    assert second.status_code == 401
    assert "gives no tokens (400)" in second.text
    (line,) = told(caplog)
    assert line.startswith(f"{issuer}: the provider gives no tokens (400): ")
    assert parse_qs(urlsplit(address).query)["code"][0] not in line
    assert CLIENT_SECRET not in line


async def test_what_the_provider_says_when_it_refuses_is_shown(visiting, issuer):
    async with visiting(settings_for(issuer)) as browser:
        begun = await browser.get("/sign-in/oidc?next=/activity")
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        said = "<b>No.</b>%0a" + "x" * 5000
        address = f"/sign-in/callback?error=access_denied&error_description={said}&state={state}"
        answer = await browser.get(f"{address}&iss={issuer}")

    assert answer.status_code == 401
    assert "&lt;b&gt;No.&lt;/b&gt;" in answer.text
    assert "x" * 201 not in answer.text
    assert 'name="next" value="/activity"' in answer.text


async def test_a_provider_that_is_away_is_said_so_and_tokens_still_count(visiting, caplog):
    settings = settings_for("http://127.0.0.1:1")
    async with visiting(settings) as browser:
        form = await browser.get("/sign-in")
        answer = await browser.get("/sign-in/oidc")

    assert form.status_code == 200
    assert answer.status_code == 502
    assert "127.0.0.1:1 cannot be reached: connection refused" in answer.text
    assert 'name="token"' in answer.text
    assert told(caplog) == ["http://127.0.0.1:1: 127.0.0.1:1 cannot be reached: connection refused"]


async def test_where_people_can_sign_in_nobody_is_let_in_without(visiting, issuer):
    async with visiting(settings_for(issuer)) as browser:
        page = await browser.get("/")

    assert (page.status_code, page.headers["location"]) == (303, "/sign-in")


async def test_without_a_provider_there_is_nothing_to_begin(browsing):
    async with browsing(None) as browser:
        begun = await browser.get("/sign-in/oidc")
        ended = await browser.get("/sign-in/callback?code=x&state=y")

    assert (begun.status_code, ended.status_code) == (422, 401)
