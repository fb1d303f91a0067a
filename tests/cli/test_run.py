"""``replicate run``, ``plan``, ``runs`` and ``rule``: from a file with rules to the history."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from replicator.store.database import Database
from replicator.store.items import Items
from replicator.store.owner import Owner
from replicator.store.queue import Queue
from replicator.store.rules import Rules
from tests.support.embedded import store_image
from tests.support.faults import Faults, answer


@pytest.fixture
async def registries(start_registry):
    return await start_registry(), await start_registry()


@pytest.fixture
def with_rules(replicate, registries):
    """The command line with a file of one rule, for some tags of ``team/app``."""
    source, destination = registries
    replicate.write_config(rule(source, destination))
    return replicate


def rule(source, destination, name="app", include='["1.*"]', more=""):
    return f"""
[[rules]]
name = "{name}"
source = "{source.host}/team/{name}"
destinations = ["{destination.host}/mirror/{{repository}}"]
tags = {{ include = {include} }}
{more}
"""


async def test_the_first_run_makes_the_database_and_copies_what_the_rule_selects(
    with_rules, registries
):
    source, destination = registries
    for tag in ("1.0", "1.1", "2.0"):
        store_image(source.storage, "team/app", tag, seed=tag)

    done = await with_rules("run")

    assert done.code == 0
    assert (with_rules.folder / "replicator.db").exists()
    assert destination.storage.tags("mirror/team/app") == ["1.0", "1.1"]
    assert done.out.startswith("app: succeeded · 2 tags copied, 0 in step · 6 blobs moved (")
    assert sorted(done.err.splitlines()) == [
        f"copied {source.host}/team/app:{tag} → {destination.host}/mirror/team/app:{tag}"
        for tag in ("1.0", "1.1")
    ]


async def test_a_second_run_sends_no_blob_and_says_so(with_rules, registries):
    source, destination = registries
    store_image(source.storage, "team/app", "1.0")
    await with_rules("run")
    destination.requests.clear()

    done = await with_rules("run")

    assert done.code == 0
    assert done.out.startswith("app: succeeded · 0 tags copied, 1 in step · 0 blobs sent · ")
    assert done.err == ""
    assert len(destination.requests) == 0


async def test_a_rule_that_selects_nothing_exits_with_4(with_rules, registries):
    store_image(registries[0].storage, "team/app", "2.0")

    done = await with_rules("run")

    assert done.code == 4
    assert done.out.startswith("app: empty · ")


async def test_some_failed_tags_are_told_once_and_exit_with_3(with_rules, start_registry):
    faults = Faults()
    source, destination = await start_registry(), await start_registry(wrap=faults)
    with_rules.write_config(rule(source, destination))
    store_image(source.storage, "team/app", "1.0", seed="a")
    store_image(source.storage, "team/app", "1.1", seed="b")
    faults.add(answer(403), "PUT", "/manifests/1.1")

    done = await with_rules("run")

    assert done.code == 3
    assert "1 tag copied, 0 in step, 1 failed" in done.out
    assert len([line for line in done.err.splitlines() if "1.1: " in line]) == 1


async def test_a_source_that_cannot_be_listed_is_told_and_exits_with_1(with_rules):
    done = await with_rules("run")

    assert done.code == 1
    assert "404" in done.complaint
    assert done.out.startswith("app: failed · ")


async def test_a_report_has_each_run_and_each_failure(with_rules, registries):
    source, destination = registries
    more = rule(source, destination, "gone", '["1.0"]')
    with_rules.write_config(rule(source, destination) + more)
    store_image(source.storage, "team/app", "1.0")

    done = await with_rules("run", "--report", "-")

    app, gone = done.json["runs"]
    assert done.code == 1
    assert (app["rule"], app["state"], app["counts"]["copied"]) == ("app", "succeeded", 1)
    assert (gone["rule"], gone["state"]) == ("gone", "failed")
    (failure,) = gone["tags"]
    assert (failure["class"], failure["side"], failure["status"]) == ("not_found", "source", 404)
    (copied,) = app["copied"]
    assert copied["source"] == f"{source.host}/team/app:1.0"
    assert copied["destination"] == f"{destination.host}/mirror/team/app"
    assert copied["digest"] == str(destination.storage.resolve("mirror/team/app", "1.0"))
    assert gone["copied"] == []
    assert "app: succeeded" in done.err


async def test_only_the_rules_that_are_named_run(with_rules, registries):
    source, destination = registries
    other = rule(source, destination, "other")
    with_rules.write_config(rule(source, destination) + other)
    store_image(source.storage, "team/app", "1.0")
    store_image(source.storage, "team/other", "1.0")

    done = await with_rules("run", "other")

    assert done.code == 0
    assert destination.storage.repositories() == ["mirror/team/other"]


async def test_a_disabled_rule_runs_only_when_it_is_named(with_rules, registries):
    source, destination = registries
    with_rules.write_config(rule(source, destination, more="enabled = false"))
    store_image(source.storage, "team/app", "1.0")

    unnamed = await with_rules("run")
    named = await with_rules("run", "app")

    assert (unnamed.code, unnamed.out) == (0, "")
    assert "no rule is enabled" in unnamed.err
    assert "1 tag copied" in named.out


async def test_a_dry_run_shows_the_plan_and_writes_to_no_registry(with_rules, registries):
    source, destination = registries
    store_image(source.storage, "team/app", "1.0")
    store_image(source.storage, "team/app", "2.0")

    done = await with_rules("run", "--dry-run")

    assert done.code == 0
    assert done.out.startswith("app: 1 to copy")
    assert f"{source.host}/team/app:1.0" in done.out
    assert f"{source.host}/team/app:2.0" in done.out
    assert destination.storage.repositories() == []
    assert {request.method for registry in registries for request in registry.requests} <= {
        "GET",
        "HEAD",
    }


async def test_a_plan_says_of_each_tag_why_it_is_in_or_out(with_rules, registries):
    source, destination = registries
    for tag in ("1.0", "1.1", "2.0"):
        store_image(source.storage, "team/app", tag)
    await with_rules("run")
    source.storage.delete_tag("team/app", "1.1")

    done = await with_rules("plan", "app", "--json")

    (plan,) = done.json["plans"]
    (action,) = plan["actions"]
    assert action["decision"] == "skip"
    assert action["source"] == f"{source.host}/team/app:1.0"
    assert (action["destination"], action["tag"]) == (f"{destination.host}/mirror/team/app", "1.0")
    assert action["digest"] == str(source.storage.resolve("team/app", "1.0"))
    assert action["reason"]
    assert [each["source"] for each in plan["left_out"]] == [f"{source.host}/team/app:2.0"]


async def test_rules_that_leave_the_file_leave_the_database(with_rules, registries):
    source, destination = registries
    store_image(source.storage, "team/app", "1.0")
    await with_rules("run")
    with_rules.write_config(rule(source, destination, "other"))

    listed = await with_rules("rule", "list", "--json")
    await with_rules("run")

    assert [each["name"] for each in listed.json["rules"]] == ["other"]
    assert (await with_rules("run", "app")).code == 2


async def test_the_database_remembers_rules_without_their_file(with_rules, registries):
    store_image(registries[0].storage, "team/app", "1.0")
    await with_rules("run")
    (with_rules.folder / "config.toml").unlink()

    done = await with_rules("run")

    assert done.out.startswith("app: succeeded · 0 tags copied, 1 in step")


async def test_a_rule_is_shown_with_what_was_said_of_it(with_rules, registries):
    shown = await with_rules("rule", "show", "app")
    as_json = await with_rules("rule", "show", "app", "--json")

    assert "tags.include  1.*" in shown.out
    assert "prune" not in shown.out
    assert as_json.json["tags"]["include"] == ["1.*"]
    assert as_json.json["destinations"] == [f"{registries[1].host}/mirror/{{repository}}"]
    assert not (with_rules.folder / "replicator.db").exists()


async def test_the_history_lists_runs_and_shows_each_tag(with_rules, registries):
    source, destination = registries
    image = store_image(source.storage, "team/app", "1.0")
    await with_rules("run")
    await with_rules("run")

    listed = (await with_rules("runs", "list", "--json")).json["runs"]
    table = await with_rules("runs", "list", "--limit", "1")
    shown = (await with_rules("runs", "show", listed[1]["run"], "--json")).json
    text = await with_rules("runs", "show", listed[1]["run"])

    assert [run["counts"]["copied"] for run in listed] == [0, 1]
    assert listed[1]["requests"][source.host]["blob_get"] == 3
    assert len(table.out.splitlines()) == 2
    (tag,) = shown["tags"]
    assert tag["outcome"] == "written"
    assert tag["digest"] == str(image.digest)
    assert f"{destination.host}/mirror/team/app:1.0" in text.out


async def test_an_unknown_run_is_an_error_of_use(with_rules, registries):
    store_image(registries[0].storage, "team/app", "1.0")
    await with_rules("run")

    done = await with_rules("runs", "show", "1999")

    assert done.code == 2
    assert "'1999'" in done.complaint


async def test_to_look_at_the_history_makes_no_database(replicate):
    done = await replicate("runs", "list")

    assert done.code == 2
    assert "replicate run" in done.complaint
    assert list(replicate.folder.iterdir()) == []


async def test_the_database_of_the_command_line_goes_before_all_others(with_rules, registries):
    store_image(registries[0].storage, "team/app", "1.0")
    with_rules.variables["REPLICATOR_DATABASE"] = "sqlite:///from-environment.db"

    await with_rules("--database", "sqlite:///from-option.db", "run")
    await with_rules("plan")

    names = {file.name for file in with_rules.folder.glob("*.db")}
    assert names == {"from-option.db", "from-environment.db"}


async def test_a_report_can_be_written_over_an_older_one(with_rules, registries):
    store_image(registries[0].storage, "team/app", "1.0")
    file = with_rules.folder / "report.json"

    for copied in (1, 0):
        await with_rules("run", "--report", file)
        assert json.loads(file.read_text())["runs"][0]["counts"]["copied"] == copied


async def test_a_password_that_is_not_there_ends_the_run_before_it_begins(replicate, registries):
    source, destination = registries
    replicate.write_config(f"""
[registries."{source.host}"]
credential = {{ username = "me", password_env = "NOT_SET_ANYWHERE" }}

[registries."elsewhere.example"]
credential = {{ username = "me", password_file = "/no/such/file" }}

[[rules]]
name = "app"
source = "{source.host}/team/app"
destinations = ["{destination.host}/mirror"]
""")

    run, plan = await replicate("run"), await replicate("plan")

    assert (run.code, plan.code) == (2, 2)
    assert run.complaint == plan.complaint
    assert run.complaint.endswith(
        f"{source.host}: the environment variable NOT_SET_ANYWHERE is not set"
    )
    assert len(source.requests) == 0


@pytest.mark.parametrize(
    ("source", "destination"),
    [("team/app", "{name}"), ("team/*", "{name}"), ("app", "team/{name}"), ("app", "team")],
)
async def test_a_password_of_a_path_is_looked_for_before_the_run_begins(
    replicate, start_registry, source, destination
):
    registry = await start_registry()
    replicate.write_config(f"""
[registries."{registry.host}/team"]
credential = {{ username = "me", password_env = "NOT_SET_ANYWHERE" }}

[registries."{registry.host}/else"]
credential = {{ username = "me", password_env = "NOR_THIS" }}

[[rules]]
name = "app"
source = "{registry.host}/{source}"
destinations = ["{registry.host}/{destination}"]
""")

    done = await replicate("run")

    assert done.code == 2
    assert done.complaint.endswith(
        f"{registry.host}/team: the environment variable NOT_SET_ANYWHERE is not set"
    )
    assert len(registry.requests) == 0


async def test_status_names_the_tags_that_were_left_alone(with_rules, registries):
    source, destination = registries
    with_rules.write_config(rule(source, destination, more='overwrite = "never"'))
    store_image(source.storage, "team/app", "1.0", seed="theirs")
    store_image(destination.storage, "mirror/team/app", "1.0", seed="ours")
    await with_rules("run")

    shown, told = await with_rules("status"), await with_rules("status", "--json")

    place = f"{source.host}/team/app:1.0 → {destination.host}/mirror/team/app:1.0"
    (line,) = [line for line in shown.out.splitlines() if place in line]
    assert line.split(place)[1].strip().startswith("conflict: ")
    (app,) = told.json["rules"]
    assert app["deferred_until"] is None
    (left,) = app["left_alone"]
    assert (left["source"], left["tag"], left["decision"]) == (
        f"{source.host}/team/app:1.0",
        "1.0",
        "conflict",
    )


async def test_status_says_until_when_a_run_is_deferred(with_rules):
    await with_rules("run")
    now, until = datetime.now(UTC), datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    file = with_rules.folder / "replicator.db"
    async with await Database.open(f"sqlite:///{file}", upgrade=False) as database:
        items = Items(database, Owner.this_process())
        (stored,) = await Rules(database).all()
        await Queue(database).add(stored, "test", now)
        (claim,) = await items.claim(now)
        await items.defer(claim, until)

    shown, told = await with_rules("status"), await with_rules("status", "--json")

    assert "app: deferred until 2030-01-02 03:04:05 UTC" in shown.out.splitlines()
    assert told.json["rules"][0]["deferred_until"] == until.isoformat()
