"""What forms do, and which of them are refused."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest

from replicator.config.rule_file import to_toml
from replicator.planning.rule import Origin, Rule
from replicator.store.rules import Rules
from tests.page.conftest import ADMIN, LIMITED, OPERATOR, VIEWER
from tests.support.embedded import store_image

TEXT = """\
[[rules]]
name = "{name}"
source = "127.0.0.1:1/team/app"
destinations = ["127.0.0.1:1/mirror/app"]
tags = {{ semver = ">=1", latest = {latest} }}
"""


@pytest.fixture
def database_url(tmp_path):
    """What is asked of the desks is tried on each database where they are."""
    return f"sqlite:///{tmp_path}/replicator.db"


@pytest.fixture
async def kept(database):
    return await Rules(database).put(
        Rule("team-a", "127.0.0.1:1/team/a", ("127.0.0.1:1/mirror/a",))
    )


async def test_a_rule_is_written_read_and_kept(browsing, database):
    async with browsing(ADMIN) as browser:
        form = await browser.get("/rules/new")
        answer = await browser.post("/rules", text=TEXT.format(name="app", latest=5))
        shown = await browser.get(answer.headers["location"])
    (rule,) = await Rules(database).all()

    assert "destinations = " in form.text
    assert (answer.status_code, answer.headers["location"]) == (303, "/rules/app")
    assert "latest = 5" in shown.text
    assert (rule.name, rule.tags.latest, rule.origin) == ("app", 5, Origin.API)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (TEXT.format(name="app", latest='"5"'), 5, "tags.latest: expected a whole number"),
        (TEXT.format(name="app", latest=""), 5, "Invalid value"),
        (TEXT.format(name="app", latest=5) + "shedule = 1\n", 6, 'did you mean "schedule"?'),
        (TEXT.format(name="a b", latest=5), 2, "name: use up to 100 letters"),
        (TEXT.format(name="app", latest=5) + 'schedule = "61 * * * *"\n', 6, "schedule: "),
        ("", None, "there has to be one rule"),
    ],
)
async def test_what_is_wrong_with_a_rule_is_shown_at_its_place(
    browsing, database, text, line, said
):
    async with browsing(ADMIN) as browser:
        await browser.get("/rules/new")
        answer = await browser.post("/rules", text=text)

    page = html.unescape(answer.text)
    assert answer.status_code == 422
    assert said in page
    assert (f"Line {line} is not right" if line else "This cannot be kept") in page
    assert text.strip() in page
    assert await Rules(database).all() == ()


async def test_what_a_rule_would_do_is_shown_before_it_is_kept(
    browsing, database, kept, start_registry
):
    source, destination = await start_registry(), await start_registry()
    for tag in ("1.0", "2.0"):
        store_image(source.storage, "team/a", tag)
    text = to_toml([replace(kept, source=f"{source.host}/team/a")]).replace(
        "127.0.0.1:1/mirror", f"{destination.host}/mirror"
    )
    async with browsing(ADMIN) as browser:
        await browser.get("/rules/team-a/edit")
        edited = await browser.post("/rules/team-a/edit", text=text, revision="1", preview="yes")
        new = await browser.post(
            "/rules",
            text=text.replace("team-a", "team-b") + 'tags = { include = ["1.0"] }\n',
            preview="yes",
        )
        wrong = await browser.post("/rules", text=TEXT.format(name="b", latest=""), preview="yes")

    page = html.unescape(edited.text)
    assert edited.status_code == new.status_code == 200
    assert "A run would now: <b>2</b> copy" in page
    assert page.count("is not at the destination") == 2
    assert text.strip() in page
    assert "A run would now: <b>1</b> copy" in new.text
    assert "Line 5 is not right" in wrong.text
    assert await Rules(database).all() == (kept,)
    assert destination.requests.count("PUT") == 0


async def test_a_plan_of_what_is_not_kept_yet_that_cannot_be_made_says_why(
    browsing, database, kept
):
    async with browsing(ADMIN) as browser:
        await browser.get("/rules/new")
        answer = await browser.post("/rules", text=TEXT.format(name="app", latest=5), preview="yes")

    assert "Not everything could be found out" in answer.text
    assert "nothing to do" not in answer.text
    assert await Rules(database).all() == (kept,)


async def test_an_edit_of_a_rule_that_was_changed_meanwhile_changes_nothing(
    browsing, database, kept
):
    async with browsing(ADMIN) as browser:
        form = (await browser.get("/rules/team-a/edit")).text
        await Rules(database).put(
            Rule("team-a", kept.source, kept.destinations, schedule="0 3 * * *")
        )
        text = TEXT.format(name="team-a", latest=3)
        stale = await browser.post("/rules/team-a/edit", text=text, revision="1")
        fresh = await browser.post("/rules/team-a/edit", text=text, revision="2")

    assert 'name="revision" value="1"' in form
    assert stale.status_code == 422
    assert "changed meanwhile" in stale.text
    assert fresh.status_code == 303
    assert (await Rules(database).get("team-a")).tags.latest == 3


async def test_a_rule_is_disabled_enabled_and_deleted(browsing, database, kept):
    async with browsing(ADMIN) as browser:
        await browser.get("/rules/team-a")
        disabled = await browser.post("/rules/team-a/disable")
        rests = await Rules(database).get("team-a")
        await browser.post("/rules/team-a/enable")
        question = await browser.get("/rules/team-a/delete")
        still_there = await Rules(database).all()
        deleted = await browser.post("/rules/team-a/delete")

    assert (disabled.status_code, rests.enabled) == (303, False)
    assert "Delete team-a?" in question.text
    assert still_there[0].enabled
    assert (deleted.status_code, await Rules(database).all()) == (303, ())


async def test_a_run_is_started_shown_and_cancelled(browsing, kept):
    async with browsing(OPERATOR) as browser:
        await browser.get("/rules/team-a")
        started = await browser.post("/rules/team-a/run")
        again = await browser.post("/rules/team-a/run")
        shown = await browser.get(started.headers["location"])
        cancelled = await browser.post(f"{started.headers['location']}/cancel")
        over = await browser.get(started.headers["location"])
        retried = await browser.post(f"{started.headers['location']}/retry", failed="yes")

    assert started.status_code == 303
    assert again.status_code == 409
    assert "page: olga" in shown.text
    assert "It waits for a worker" in shown.text
    for page in (shown, over):
        assert "<dt>Waited</dt>" in page.text
        assert "<dt>For</dt>" not in page.text
        assert "<dt>Took</dt>" not in page.text
    assert cancelled.status_code == 303
    assert "cancelled" in over.text
    assert retried.status_code == 422
    assert "has no failed tags" in retried.text


async def test_a_plan_that_cannot_be_made_says_why(browsing, kept):
    async with browsing(OPERATOR) as browser:
        await browser.get("/rules/team-a")
        answer = await browser.post("/rules/team-a/plan")

    assert answer.status_code == 200
    assert "127.0.0.1:1" in answer.text
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize(
    ("who", "path"),
    [
        (VIEWER, "/rules/team-a/run"),
        (VIEWER, "/rules/team-a/plan"),
        (VIEWER, "/rules/team-a/disable"),
        (OPERATOR, "/rules/team-a/delete"),
        (OPERATOR, "/rules/team-a/edit"),
        (OPERATOR, "/rules"),
        (LIMITED, "/rules"),
    ],
)
async def test_what_a_role_may_not_do_is_refused(browsing, database, kept, who, path):
    async with browsing(ADMIN) as browser:
        await browser.get("/rules/team-a")
    async with browsing(who) as browser:
        page = await browser.get("/")
        # A viewer has no form, and so nothing that one shows: this is what is behind it as well.
        browser.csrf = browser.csrf or page.text
        answer = await browser.post(path, text=TEXT.format(name="app", latest=1), revision="1")

    assert answer.status_code in (403, 422)
    assert await Rules(database).all() == (kept,)


async def test_a_form_of_another_page_is_refused(browsing, database, kept):
    async with browsing(ADMIN) as browser:
        await browser.get("/rules/team-a")
        elsewhere = await browser.post("/rules/team-a/delete", origin="http://evil.example")
        unsaid = await browser.post("/rules/team-a/delete", origin=None)
        hidden = await browser.post("/rules/team-a/delete", origin="null")
        guessed = await browser.post("/rules/team-a/delete", csrf="x" * 43)
        empty = await browser.post("/rules/team-a/delete", csrf="")
        asked = await browser.get("/rules/team-a/disable")

    refused = (elsewhere, unsaid, hidden, guessed, empty)
    assert [each.status_code for each in refused] == [403] * 5
    assert asked.status_code == 405
    assert await Rules(database).all() == (kept,)


async def test_a_form_of_another_service_is_refused(browsing, database, kept):
    async with browsing(ADMIN) as first, browsing(ADMIN) as second:
        await first.get("/rules/team-a")
        second.csrf = first.csrf
        answer = await second.post("/rules/team-a/delete")

    assert answer.status_code == 403
    assert "load its page again" in answer.text


async def test_what_is_too_large_or_no_form_is_refused(browsing, kept):
    async with browsing(ADMIN) as browser:
        await browser.get("/rules/team-a")
        large = await browser.post("/rules", text="x" * 300_000)
        binary = await browser.client.post(
            "/rules", content=b"\xff\xfe", headers={"Origin": "http://replicate.test"}
        )

    assert (large.status_code, binary.status_code) == (422, 422)


async def test_a_rule_of_the_configuration_file_cannot_be_changed_here(browsing, database):
    await Rules(database).replace_file_rules(
        [Rule("base", "127.0.0.1:1/a", ("127.0.0.1:1/b",), origin=Origin.FILE)]
    )
    async with browsing(ADMIN) as browser:
        page = (await browser.get("/rules/base")).text
        answer = await browser.post("/rules/base/disable")

    assert "is changed there" in page
    assert "Run now" in page
    assert "/rules/base/edit" not in page
    assert answer.status_code == 422
