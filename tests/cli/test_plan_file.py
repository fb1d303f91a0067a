"""``replicate plan --out``, ``apply-plan``, ``explain`` and ``status``."""

from __future__ import annotations

import json

import pytest

from replicator.oci.media_types import OCI_MANIFEST
from tests.support.embedded import store_image, store_index, store_manifest


@pytest.fixture
async def registries(start_registry):
    source, destination = await start_registry(), await start_registry()
    for tag in ("1.0", "1.1"):
        store_image(source.storage, "team/app", tag, seed=tag)
    return source, destination


@pytest.fixture
def ready(replicate, registries):
    write(replicate, registries)
    return replicate


def write(replicate, registries, more=""):
    source, destination = registries
    replicate.write_config(f"""
[registries."{destination.host}"]
kind = "distribution"

[[rules]]
name = "app"
source = "{source.host}/team/app"
destinations = ["{destination.host}/mirror"]
{more}
""")


async def planned(replicate):
    done = await replicate("plan", "--out", "plan.json")
    return done, json.loads((replicate.folder / "plan.json").read_text())


async def test_a_plan_is_carried_out_as_it_was_reviewed(ready, registries):
    source, destination = registries
    old = source.storage.resolve("team/app", "1.0")
    done, plan = await planned(ready)
    store_image(source.storage, "team/app", "1.0", seed="moved")
    store_image(source.storage, "team/app", "2.0", seed="new")

    applied = await ready("apply-plan", "plan.json")

    assert (done.code, applied.code) == (0, 0), applied.err
    assert [each["decision"] for each in plan["plans"][0]["actions"]] == ["copy", "copy"]
    assert destination.storage.tags("mirror") == ["1.0", "1.1"]
    assert destination.storage.resolve("mirror", "1.0") == old
    assert "2 tags copied" in applied.out


async def test_what_took_the_place_of_a_reviewed_image_is_not_copied_instead(ready, registries):
    source, destination = registries
    old = source.storage.resolve("team/app", "1.0")
    await planned(ready)
    store_image(source.storage, "team/app", "1.0", seed="moved")
    source.storage.delete_manifest("team/app", old)

    applied = await ready("apply-plan", "plan.json")

    assert applied.code == 3
    assert destination.storage.tags("mirror") == ["1.1"]
    assert str(old) in applied.err


async def test_a_plan_knows_how_large_images_are(ready, registries):
    store_index(registries[0].storage, "team/app", "index")

    _, plan = await planned(ready)

    ran = await ready("run", "--report", "-")

    sizes = [each["size"] for each in plan["plans"][0]["actions"]]
    assert len(sizes) == 3
    assert sum(sizes) == ran.json["runs"][0]["bytes"]["moved"]


async def test_a_plan_for_a_rule_that_changed_is_refused_and_says_what_changed(ready, registries):
    await planned(ready)
    write(ready, registries, "tags = { latest = 1 }")

    done = await ready("apply-plan", "plan.json")

    assert done.code == 2
    assert "rule 'app': tags.latest was not set and is 1" in done.complaint
    assert registries[1].storage.tags("mirror") == []


async def test_a_plan_is_refused_when_somebody_wrote_to_the_destination(ready, registries):
    destination = registries[1]
    await planned(ready)
    theirs = store_image(destination.storage, "mirror", "1.0", seed="theirs").digest

    done = await ready("apply-plan", "plan.json")

    assert done.code == 2
    assert f"mirror:1.0 was absent and is {str(theirs)[:19]}" in done.complaint
    assert destination.storage.tags("mirror") == ["1.0"]


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1}', "[1]", '{"version":1,"plans":[{}]}'])
async def test_what_is_no_plan_is_refused(ready, text):
    (ready.folder / "plan.json").write_text(text)

    done = await ready("apply-plan", "plan.json")

    assert done.code == 2
    assert done.complaint.startswith("plan.json: ")


async def gone(replicate, registries, tags, more=""):
    """Publish, let *tags* vanish, and let two runs see it."""
    write(replicate, registries, f'prune = "mirror"\nprune_after = "0s"\n{more}')
    await replicate("run")
    for tag in tags:
        registries[0].storage.delete_tag("team/app", tag)
    await replicate("run")


async def test_removals_that_a_run_holds_back_are_done_by_a_reviewed_plan(ready, registries):
    await gone(ready, registries, ["1.0"], "max_prune = 0")
    held = await ready("run")
    _, plan = await planned(ready)

    applied = await ready("apply-plan", "plan.json")

    assert (held.code, "more than max_prune = 0" in held.err) == (3, True)
    assert [each["decision"] for each in plan["plans"][0]["actions"]] == ["prune", "skip"]
    assert (applied.code, "1 pruned" in applied.out) == (0, True)
    assert registries[1].storage.tags("mirror") == ["1.1"]


async def test_a_removal_is_refused_when_the_source_has_the_tag_again(ready, registries):
    await gone(ready, registries, ["1.0"], "max_prune = 0")
    await planned(ready)
    store_image(registries[0].storage, "team/app", "1.0", seed="back")

    done = await ready("apply-plan", "plan.json")

    assert done.code == 2
    assert "the source has" in done.complaint
    assert registries[1].storage.tags("mirror") == ["1.0", "1.1"]


async def test_a_tag_is_explained_from_both_ends(ready, registries):
    source, destination = registries
    write(ready, registries, 'tags = { include = ["1.*"], latest = 1 }')
    await ready("run")

    from_source = await ready("explain", f"{source.host}/team/app:1.1", "--json")
    from_destination = await ready("explain", f"{destination.host}/mirror:1.1", "--json")
    dropped = await ready("explain", f"{source.host}/team/app:1.0")
    unknown = await ready("explain", "quay.io/nobody/knows:1")

    (rule,) = from_source.json["rules"]
    (place,) = rule["destinations"]
    assert (rule["rule"], rule["selected"], rule["reason"]) == ("app", True, 'matches "1.*"')
    assert place["published"]["digest"] == str(destination.storage.resolve("mirror", "1.1"))
    assert place["last_action"]["run"] == place["published"]["run"]
    assert from_destination.json["rules"] == from_source.json["rules"]
    assert "left out  is not among the latest 1" in dropped.out
    assert unknown.code == 1


async def test_a_destination_tag_that_was_never_written_is_explained_from_its_source(
    replicate, registries
):
    source, destination = registries
    replicate.write_config(
        f"""
[[rules]]
name = "wild"
source = "{source.host}/team/*"
destinations = ["{destination.host}/mirror/{{name}}:{{tag}}-copy"]
tags = {{ include = ["1.*"], exclude = ["1.0"] }}

[[rules]]
name = "versions"
source = "{source.host}/team/app"
destinations = ["{destination.host}/versions:{{v}}"]
tags = {{ include = ["1.{{v}}"] }}
""",
        "rules.toml",
    )
    await replicate("apply", "rules.toml", "--yes")

    async def explained(reference):
        done = await replicate("explain", f"{destination.host}/{reference}", "--json")
        return [(each["source"], each["selected"], each["reason"]) for each in done.json["rules"]]

    app = f"{source.host}/team/app"
    assert await explained("mirror/app:1.1-copy") == [(f"{app}:1.1", True, 'matches "1.*"')]
    assert await explained("mirror/app:1.0-copy") == [(f"{app}:1.0", False, 'is excluded by "1.0"')]
    assert await explained("mirror/app:1.7-copy") == [(f"{app}:1.7", False, "is not at the source")]
    assert await explained("mirror/app:1.1") == [(app, False, "no tag of it becomes 1.1")]
    assert await explained("versions:1") == [(f"{app}:1.1", True, 'matches "1.{v}"')]
    assert await explained("elsewhere:1") == []


async def test_the_status_tells_of_success_the_next_due_time_and_failing_tags(ready, registries):
    source, _ = registries
    write(ready, registries, 'schedule = "0 3 * * *"')
    never = await ready("rule", "list")
    await ready("run")
    good = await ready("status", "--json")
    broken = store_manifest(source.storage, "team/app", b"not a manifest", OCI_MANIFEST)
    source.storage.put_tag("team/app", "1.1", broken.digest)
    await ready("run")

    bad = await ready("status", "--json")
    text = await ready("status")

    assert never.code == 0
    (rule,) = good.json["rules"]
    assert (rule["state"], rule["failing"]) == ("succeeded", [])
    assert rule["lag_seconds"] < 60
    assert rule["next_due"].endswith("T03:00:00+00:00")
    (after,) = bad.json["rules"]
    assert after["last_success"] == rule["last_success"]
    assert (after["state"], after["failing"][0]["class"]) == ("partial", "invalid_manifest")
    assert text.out.startswith("RULE  LAST RUN")
    assert "failed once" in text.out


async def test_a_password_that_is_not_there_ends_a_plan_before_anything_is_looked_at(
    ready, registries
):
    source, destination = registries
    await planned(ready)
    write(
        ready,
        registries,
        f"""
[registries."{source.host}"]
credential = {{ username = "me", password_env = "NOT_SET_ANYWHERE" }}
""",
    )
    before = len(source.requests), len(destination.requests)

    applied = await ready("apply-plan", "plan.json")

    assert applied.code == 2
    assert applied.complaint.endswith(
        f"{source.host}: the environment variable NOT_SET_ANYWHERE is not set"
    )
    assert (len(source.requests), len(destination.requests)) == before
