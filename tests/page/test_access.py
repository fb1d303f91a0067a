"""Who may do what, seen to at the page: tokens, credentials, sessions, and registries."""

from __future__ import annotations

import re

import httpx
import pytest

from replicator.page.app import create_page
from replicator.registry.settings import Credentials
from replicator.service.access.identity import Identity, Role
from replicator.store.credentials import Credentials as StoredCredentials
from replicator.store.registries import KeptRegistries
from tests.page.conftest import ADMIN, LIMITED, OPERATOR, ORIGIN, VIEWER, Browser
from tests.page.test_screens import HOSTILE
from tests.page.world import HARBOR

SECRET = re.compile(r"rplt_[A-Za-z0-9_-]{43}")
HOST = "registry.test:5000"
TEXT = '[registries."{host}"]\nkind = "harbor"\n{more}'
STORED = 'credential = {{ stored = "harbor" }}\nendpoint = "{at}"\n'


@pytest.fixture
def database_url(tmp_path):
    """What is asked of the desks is tried on each database where they are."""
    return f"sqlite:///{tmp_path}/replicator.db"


async def test_a_token_is_made_shown_once_and_revoked(browsing, office):
    async with browsing(ADMIN) as browser:
        form = await browser.get("/access")
        made = await browser.post(
            "/access", name="ci", role="operator", rules="team-*, base", expires_in="30d"
        )
        secret = SECRET.search(made.text)[0]
        known = await office.tokens.identify(secret)
        shown = await browser.get("/access")
        activity = await browser.get("/activity")
        question = await browser.get("/access/tokens/ci/revoke")
        await office.tokens.identify(secret)
        revoked = await browser.post("/access/tokens/ci/revoke")
        after = await browser.get("/access")

    assert "There is no token yet" in form.text
    assert made.status_code == 200
    assert known == Identity("ci", Role.OPERATOR, ("team-*", "base"), "token")
    assert "in 29 d" in shown.text or "in 30 d" in shown.text
    assert SECRET.search(shown.text + activity.text) is None
    assert "Revoke ci?" in question.text
    assert (revoked.status_code, revoked.headers["location"]) == (303, "/access")
    assert "revoked" in after.text
    assert "/access/tokens/ci/revoke" not in after.text
    assert (await office.tokens.all())[0].revoked_at is not None


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"name": "a b"}, 422, "Name: use up to 100 letters"),
        ({"name": ""}, 422, "Name: use up to 100 letters"),
        ({"name": HOSTILE}, 422, "Name: use up to 100 letters"),
        ({"role": "owner"}, 422, "Role: choose viewer, operator or admin"),
        ({"rules": "team-["}, 422, "Rules: pattern"),
        ({"expires_in": "soon"}, 422, "Counts for: expected a duration"),
        ({"expires_in": "9999d"}, 422, "Counts for: a token counts for up to ten years"),
        ({"name": "taken"}, 409, "already"),
    ],
)
async def test_a_token_that_cannot_be_made_is_said_so_and_nothing_typed_is_lost(
    browsing, office, fields, status, said
):
    await office.tokens.create("taken", Role.VIEWER)
    whole = {"name": "ci", "role": "viewer", "rules": "abc-*", "expires_in": "77d", **fields}
    async with browsing(ADMIN) as browser:
        await browser.get("/access")
        answer = await browser.post("/access", **whole)

    assert answer.status_code == status
    assert said in answer.text
    assert "<script>alert" not in answer.text
    assert (whole["rules"] in answer.text) or "&#34;" in whole["rules"]
    assert SECRET.search(answer.text) is None
    assert len(await office.tokens.all()) == 1


async def test_tokens_are_found_and_shown_a_page_at_a_time(browsing, office):
    for number in range(120):
        await office.tokens.create(f"t-{number:03}", Role.VIEWER)
    seen, path = [], "/access"
    async with browsing(ADMIN) as browser:
        found = (await browser.get("/access?text=t-11")).text
        while path:
            page = (await browser.get(path)).text
            seen += re.findall(r'<th scope="row">(t-\d+)', page)
            following = re.search(r'href="(/access\?[^"]+)" rel="next"', page)
            path = following and following[1].replace("&amp;", "&")

    assert seen == [f"t-{number:03}" for number in range(120)]
    assert re.findall(r'<th scope="row">(t-\d+)', found) == [f"t-11{n}" for n in range(10)]


async def test_a_credential_goes_in_and_never_comes_out(browsing, office):
    async with browsing(ADMIN) as browser:
        await browser.get("/access/credentials")
        answer = await browser.post(
            "/access/credentials",
            name="harbor",
            host="Registry.Test:5000",
            username="robot$x",
            password="canary-of-the-form",
        )
        shown = await browser.get(answer.headers["location"])
        again = await browser.get(f"/access/credentials?name=harbor&host={HOST}&username={HOSTILE}")
        activity = await browser.get("/activity")
    kept = await office.credentials.reveal("harbor", HOST)

    assert kept == Credentials("robot$x", "canary-of-the-form", "")
    assert "robot$x" in shown.text
    assert HOST in shown.text
    assert f'value="{HOST}"' in again.text
    assert "<script>alert" not in again.text
    assert "canary" not in shown.text + again.text + activity.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "Name: use up to 100"),
        ({"host": ""}, "Registry: write the registry as references have it: HOST[:PORT]"),
        ({"host": "a/b"}, "Registry: write the registry as references have it: HOST[:PORT]"),
        ({"password": ""}, "Password: there is no secret in it"),
        ({"username": ""}, "User name: a password needs a username"),
        ({"username": "a\x00b"}, "User name: that is no user name"),
        (
            {"identity_token": "canary-too"},
            "Identity token: a login has a password or an identity token, not both",
        ),
    ],
)
async def test_a_credential_that_is_none_is_refused_and_not_sent_back(
    browsing, office, fields, said
):
    whole = {"name": "n", "host": HOST, "username": "u", "password": "canary-of-the-form"}
    async with browsing(ADMIN) as browser:
        await browser.get("/access/credentials")
        answer = await browser.post("/access/credentials", **{**whole, **fields})

    assert answer.status_code == 422
    assert said in answer.text
    assert "canary" not in answer.text
    assert await office.credentials.all() == ()


async def test_a_form_does_not_take_a_credential_from_another_registry(browsing, office):
    login = {"username": "u", "password": "canary-of-the-form"}
    await office.credentials.put("harbor", HOST, Credentials("u", "p", ""))
    async with browsing(ADMIN) as browser:
        await browser.get("/access/credentials")
        other = await browser.post("/access/credentials", name="harbor", host="other.test", **login)
        kept = await office.credentials.reveal("harbor", HOST)
        same = await browser.post("/access/credentials", name="harbor", host=HOST, **login)

    assert other.status_code == 409
    assert f"is for {HOST}, which would lose it to other.test" in other.text
    assert "canary" not in other.text
    assert kept.password == "p"
    assert same.status_code == 303
    assert (await office.credentials.reveal("harbor", HOST)).password == login["password"]


async def test_a_credential_is_deleted_after_a_question(browsing, office):
    await office.credentials.put("harbor", HOST, Credentials("u", "p", ""))
    async with browsing(ADMIN) as browser:
        question = await browser.get("/access/credentials/harbor/delete")
        kept = await office.credentials.all()
        answer = await browser.post("/access/credentials/harbor/delete")
        again = await browser.post("/access/credentials/harbor/delete")

    assert "Delete harbor?" in question.text
    assert len(kept) == 1
    assert answer.status_code == 303
    assert again.status_code == 404
    assert await office.credentials.all() == ()


async def test_a_session_of_somebody_else_is_ended(browsing, office):
    secret = await office.sessions.open(Identity("oidc:eve", Role.ADMIN, None, "oidc"), token=None)
    async with browsing(ADMIN) as browser:
        page = (await browser.get("/access/sessions")).text
        end = re.search(r'action="(/access/sessions/[0-9a-f]{64}/end)"', page)[1]
        counted = await office.sessions.find(secret, notes_use=False)
        answer = await browser.post(end)
        odd = await browser.post("/access/sessions/xyz/end")

    assert "oidc:eve" in page
    assert secret not in page
    assert counted is not None
    assert (answer.status_code, odd.status_code) == (303, 303)
    assert await office.sessions.find(secret, notes_use=False) is None


async def test_a_registry_is_added_changed_and_deleted(browsing, database):
    async with browsing(ADMIN) as browser:
        form = await browser.get("/registries/new")
        added = await browser.post("/registries", text=TEXT.format(host=HOST, more=""))
        shown = await browser.get(added.headers["location"])
        edit = await browser.get(f"/registries/{HOST}/edit")
        text = TEXT.format(host=HOST, more='max_concurrency = 3\ntimeouts = { idle = "9s" }\n')
        changed = await browser.post(f"/registries/{HOST}/edit", text=text)
        kept = await KeptRegistries(database).all()
        again = await browser.get(f"/registries/{HOST}/edit")
        question = await browser.get(f"/registries/{HOST}/delete")
        deleted = await browser.post(f"/registries/{HOST}/delete")

    assert "[registries." in form.text
    assert (added.status_code, added.headers["location"]) == (303, f"/registries/{HOST}")
    assert "kept in the database" in shown.text
    assert f"/registries/{HOST}/edit" in shown.text
    assert "kind = &#34;harbor&#34;" in edit.text
    assert changed.status_code == 303
    assert kept[HOST] == {"kind": "harbor", "max_concurrency": 3, "timeouts": {"idle": "9s"}}
    assert "timeouts = { idle = &#34;9s&#34; }" in again.text
    assert f"Delete {HOST}?" in question.text
    assert (deleted.status_code, deleted.headers["location"]) == (303, "/")
    assert await KeptRegistries(database).all() == {}


async def test_another_address_clears_the_secret_and_says_so(browsing, office, database):
    await office.credentials.put("harbor", HOST, Credentials("u", "p", ""))
    first, second = (
        TEXT.format(host=HOST, more=STORED.format(at=at)) for at in ("a.test", "b.test")
    )
    async with browsing(ADMIN) as browser:
        await browser.get("/registries/new")
        await browser.post("/registries", text=first)
        await office.credentials.put("harbor", HOST, Credentials("u", "p", ""))
        answer = await browser.post(f"/registries/{HOST}/edit", text=second)
        credentials = await browser.get("/access/credentials")
    (record,) = await StoredCredentials(database).all()

    assert answer.status_code == 200
    assert f"/access/credentials?name=harbor&amp;host={HOST.replace(':', '%3A')}" in answer.text
    assert "cleared; set it again" in credentials.text
    assert record.sealed is None


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("", "there has to be one registry", None),
        ("[[rules]]\n", "there has to be one registry", None),
        ("[registries]\na = 1\n", "write settings below", None),
        (TEXT.format(host=HOST, more="shedule = 1\n"), "unknown key", None),
        (TEXT.format(host=HOST, more="max_concurrency = 0\n"), "max_concurrency", 3),
        (TEXT.format(host=HOST, more="x = \n"), "Invalid value", 3),
        (
            TEXT.format(host=HOST, more='ca_file = "/etc/passwd"\n'),
            "configuration file alone",
            None,
        ),
        (TEXT.format(host=HOST, more='proxy = "http://u:p@h:1"\n'), "belongs into a file", 3),
        (TEXT.format(host=HARBOR, more=""), "comes from a configuration file", None),
        (TEXT.format(host=HOSTILE.replace('"', ""), more=""), "registries", None),
    ],
)
async def test_what_is_wrong_with_a_registry_is_shown_and_nothing_is_kept(
    browsing, database, text, said, line
):
    async with browsing(ADMIN) as browser:
        await browser.get("/registries/new")
        answer = await browser.post("/registries", text=text)

    assert answer.status_code == 422
    assert said in answer.text
    assert (f"Line {line} is not right" in answer.text) is (line is not None)
    assert "<script>alert" not in answer.text
    assert await KeptRegistries(database).all() == {}


async def test_a_registry_is_not_taken_for_another(browsing, database):
    async with browsing(ADMIN) as browser:
        await browser.get("/registries/new")
        await browser.post("/registries", text=TEXT.format(host=HOST, more=""))
        twice = await browser.post("/registries", text=TEXT.format(host=HOST, more="retries = 1\n"))
        other = TEXT.format(host="other.test", more="")
        renamed = await browser.post(f"/registries/{HOST}/edit", text=other)
        missing = await browser.get("/registries/nowhere.test/edit")
        of_file = await browser.get(f"/registries/{HARBOR}/edit")

    assert (twice.status_code, renamed.status_code) == (422, 422)
    assert (missing.status_code, of_file.status_code) == (404, 422)
    assert await KeptRegistries(database).all() == {HOST: {"kind": "harbor"}}


PAGES = [
    "/access",
    "/access/credentials",
    "/access/sessions",
    "/access/tokens/x/revoke",
    "/access/credentials/x/delete",
    "/registries/new",
    f"/registries/{HOST}/edit",
    f"/registries/{HOST}/delete",
]
FORMS = [
    "/access",
    "/access/credentials",
    "/access/tokens/kept/revoke",
    "/access/credentials/kept/delete",
    f"/access/sessions/{'0' * 64}/end",
    "/registries",
    f"/registries/{HOST}/edit",
    f"/registries/{HOST}/delete",
]


@pytest.mark.parametrize("who", [VIEWER, OPERATOR, LIMITED], ids=lambda who: who.subject)
async def test_none_of_it_is_for_anybody_but_admins_of_everything(browsing, office, database, who):
    await office.tokens.create("kept", Role.VIEWER)
    await office.credentials.put("kept", HOST, Credentials("u", "p", ""))
    await KeptRegistries(database).put(HOST, {"kind": "harbor"})

    async def knows(request):
        return who

    page = create_page(office, knows)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(page), base_url=ORIGIN) as client:
        browser = Browser(client)
        overview = await browser.get("/rules/new" if who is LIMITED else "/")
        # Who has no form has nothing that one shows; these are refused with it as well.
        shown = [(await browser.get(path)).status_code for path in PAGES]
        browser.csrf = browser.csrf or "x"
        sent = [
            (
                await browser.post(
                    path, name="n", role="admin", text=TEXT.format(host=HOST, more="")
                )
            ).status_code
            for path in FORMS
        ]

    assert "/access" not in overview.text
    assert set(shown) == {403}
    assert set(sent) == {403}
    assert len(await office.tokens.all()) == len(await office.credentials.all()) == 1
    assert await KeptRegistries(database).all() == {HOST: {"kind": "harbor"}}


async def test_without_a_secret_key_the_screens_say_so(config, database, monkeypatch):
    from replicator import bootstrap
    from replicator.office import open_office

    monkeypatch.delenv("REPLICATOR_SECRET_KEY")

    async def knows(request):
        return ADMIN

    async with (
        bootstrap.open_serving(config) as served,
        open_office(config, served) as office,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(create_page(office, knows)), base_url=ORIGIN
        ) as client,
    ):
        browser = Browser(client)
        pages = [(await browser.get(path)).text for path in PAGES[:3]]
        await browser.get("/registries/new")
        answers = [
            await browser.post("/access", name="n", role="viewer", expires_in="1d"),
            await browser.post(
                "/access/credentials", name="n", host=HOST, username="u", password="p"
            ),
        ]

    assert "no token can be made or counts here; set secret_key_file below" in pages[0]
    assert "no credential can be set or used here; set secret_key_file below" in pages[1]
    assert all("head -c 32 /dev/urandom" in page for page in pages[:2])
    assert "Make the token" not in pages[0]
    assert [each.status_code for each in answers] == [422, 422]
