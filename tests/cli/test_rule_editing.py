"""Rules in the database: added, edited, switched, exported and applied, by the command line."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.support.embedded import store_image
from tests.support.faults import Faults, answer

ADD = ("rule", "add", "app", "--source", "quay.io/team/app", "--destination", "example.com/app")
FILE = """
[[rules]]
name = "filed"
source = "quay.io/team/filed"
destinations = ["example.com/filed"]
"""


async def shown(replicate, name):
    return (await replicate("rule", "show", name, "--json")).json


async def test_a_rule_that_was_added_is_there_and_runs(replicate, start_registry):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "team/app", "1.0")
    store_image(source.storage, "team/app", "2.0", seed="2")
    where = ("--source", f"{source.host}/team/app", "--destination", f"{destination.host}/app")

    added = await replicate("rule", "add", "app", *where, "--tag-include", "1.*")
    ran = await replicate("run")

    assert (added.code, ran.code) == (0, 0)
    assert added.out == "added app; `replicate plan app` shows what it would do\n"
    assert destination.storage.tags("app") == ["1.0"]


async def test_every_flag_says_what_its_key_says(replicate):
    flags = (
        *("--tag-include", "1.*", "--tag-include", "2.*", "--latest", "5", "--min-tags", "2"),
        *("--newer-than", "30d", "--max-size", "2GiB", "--label", "team=core", "--prerelease"),
        *("--platform", "linux/arm64", "--no-referrers", "--prune", "mirror"),
        *("--schedule", "0 3 * * *", "--timezone", "Asia/Shanghai", "--disabled"),
    )

    await replicate(*ADD, *flags)
    rule = await shown(replicate, "app")

    tags = rule["tags"]
    assert (tags["include"], tags["latest"], tags["min_tags"]) == (["1.*", "2.*"], 5, 2)
    assert (tags["max_size"], tags["labels"], tags["prerelease"]) == (2**31, ["team=core"], True)
    assert (rule["platforms"], rule["referrers"]) == (["linux/arm64"], False)
    assert (rule["prune"], rule["enabled"], rule["revision"]) == ("mirror", False, 1)
    assert rule["origin"] == "api"


async def test_an_edit_changes_what_is_given_and_leaves_the_rest(replicate):
    await replicate(*ADD, "--latest", "5", "--schedule", "0 3 * * *")

    done = await replicate("rule", "edit", "app", "--latest", "", "--tag-include", "3.*")
    rule = await shown(replicate, "app")

    assert done.out == "app is at revision 2\n"
    assert (rule["tags"]["latest"], rule["tags"]["include"]) == (None, ["3.*"])
    assert rule["schedule"] == "0 3 * * *"


async def test_without_options_the_editor_changes_all_of_it(replicate):
    await replicate(*ADD)
    replicate.variables["EDITOR"] = "sed -i s/team/other/"

    done = await replicate("rule", "edit", "app")

    assert done.code == 0, done.err
    assert (await shown(replicate, "app"))["source"] == "quay.io/other/app"


@pytest.mark.parametrize(
    ("editor", "complaint"),
    [
        ("sed -i s/source/sorce/", "unknown key"),
        ('sed -i s/"app"/"other"/', "there has to be the rule 'app' and no other"),
        ("false", "the editor ended with 1 (nothing was changed; your text is in /"),
        ("no-such-editor", "cannot be started"),
        ("sed -i s,quay.io/team/app,example.com/app,", "would read what it writes"),
    ],
)
async def test_what_the_editor_spoils_changes_nothing(replicate, editor, complaint):
    await replicate(*ADD)
    before = await shown(replicate, "app")
    replicate.variables["EDITOR"] = editor

    done = await replicate("rule", "edit", "app")

    assert done.code == 2
    assert complaint in done.complaint
    assert await shown(replicate, "app") == before


async def test_a_rule_that_was_changed_while_it_was_in_the_editor_is_not_overwritten(replicate):
    await replicate(*ADD)
    script = replicate.folder / "slow-editor"
    script.write_text("#!/bin/sh\necho > begun; cat go > /dev/null\n")
    script.chmod(0o755)
    begun, go = replicate.folder / "begun", replicate.folder / "go"
    os.mkfifo(begun)
    os.mkfifo(go)
    replicate.variables["EDITOR"] = str(script)

    async with replicate.started("rule", "edit", "app") as edit:
        await asyncio.to_thread(begun.read_text)
        await replicate("rule", "disable", "app")
        await asyncio.to_thread(go.write_text, "now")
        _, err = await edit.communicate()

    assert edit.returncode == 2
    assert b"changed meanwhile: revision 1 was edited, it is now at 2" in err


async def test_rules_are_switched_off_and_on_and_deleted(replicate):
    await replicate(*ADD)

    off = await replicate("rule", "disable", "app")
    idle = await replicate("run")
    on = await replicate("rule", "enable", "app")
    gone = await replicate("rule", "delete", "app")
    again = await replicate("rule", "delete", "app")

    assert (off.out, on.out, gone.out) == ("app is disabled\n", "app is enabled\n", "deleted app\n")
    assert (idle.code, idle.complaint if idle.err.startswith("replicate:") else idle.err) == (
        0,
        "no rule is enabled; one that is named is carried out all the same\n",
    )
    assert again.code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("edit", "filed", "--latest", "1"),
        ("edit", "filed"),
        ("disable", "filed"),
        ("delete", "filed"),
    ],
    ids=" ".join,
)
async def test_a_rule_of_the_file_is_changed_in_the_file(replicate, command):
    replicate.write_config(FILE)

    done = await replicate("rule", *command)

    assert done.code == 2
    assert "comes from a configuration file; change it there" in done.complaint


async def test_a_second_writer_of_a_tag_is_refused_with_both_names(replicate):
    replicate.write_config(FILE)

    done = await replicate(
        *("rule", "add", "second", "--source", "quay.io/x/y", "--destination", "example.com/filed")
    )

    assert done.code == 2
    assert done.complaint.startswith('rule "second": destinations: rule "filed" may write the same')


async def test_what_is_exported_can_be_applied(replicate):
    await replicate(*ADD, "--latest", "5")
    exported = await replicate("rule", "export", "--format", "yaml")
    replicate.write_config(exported.out.replace("latest: 5", "latest: 7"), "rules.yaml")

    asked = await replicate("apply", "rules.yaml")
    applied = await replicate("apply", "rules.yaml", "--yes")
    again = await replicate("apply", "rules.yaml")

    assert asked.code == 2
    assert "nothing was changed, as there is nobody to ask; add --yes" in asked.err
    assert asked.out == "~ app\n~     tags.latest = 5 → 7\n"
    assert (applied.code, applied.out.splitlines()[-1]) == (0, "applied")
    assert (await shown(replicate, "app"))["tags"]["latest"] == 7
    assert (again.code, again.out) == (0, "the rules are as the file has them\n")


async def test_only_with_prune_are_other_rules_deleted_and_never_those_of_the_file(replicate):
    replicate.write_config(FILE)
    await replicate(*ADD)
    other = FILE.replace("filed", "new")
    replicate.write_config(other, "rules.toml")

    kept = await replicate("apply", "rules.toml", "-y")
    names = [rule["name"] for rule in (await replicate("rule", "list", "--json")).json["rules"]]
    pruned = await replicate("apply", "rules.toml", "-y", "--prune")
    left = [rule["name"] for rule in (await replicate("rule", "list", "--json")).json["rules"]]

    assert (kept.code, names) == (0, ["app", "filed", "new"])
    assert (pruned.out.splitlines()[0], left) == ("- app", ["filed", "new"])


async def test_one_bad_rule_of_a_file_keeps_all_others_out(replicate):
    good, bad = FILE, FILE.replace("filed", "bad").replace('"example', '"{nobody}.example')
    replicate.write_config(good + bad, "rules.toml")

    done = await replicate("apply", "rules.toml", "--yes")

    assert done.code == 2
    assert 'rule "bad": destinations' in done.complaint
    assert (await replicate("rule", "list", "--json")).json == {"rules": []}


async def test_a_pattern_on_a_registry_that_lists_nothing_is_refused_when_it_is_saved(
    replicate, start_registry
):
    faults = Faults()
    registry = await start_registry(wrap=faults)
    faults.add(answer(403), "GET", "/_catalog")
    pattern = ("--source", f"{registry.host}/team/*", "--destination", "example.com/{name}")

    refused = await replicate("rule", "add", "app", *pattern)
    named = await replicate("rule", "add", "app", *pattern, "--repository", "alpine")
    edited = await replicate("rule", "edit", "app", "--repository", "")

    assert refused.code == 2
    assert 'rule "app": source:' in refused.complaint
    assert "does not list its repositories" in refused.complaint
    assert "repositories.include" in refused.complaint
    assert named.code == 0
    assert edited.code == 2
