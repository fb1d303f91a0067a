"""Whatever goes wrong is told in one line, which says what it is and names no line of code."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from replicator.embedded.passwords import PlainPasswords
from replicator.embedded.token_auth import TokenAuth
from tests.support.embedded import store_image
from tests.support.faults import Faults, answer, cut_body, flip_byte
from tests.support.processes import free_port

RULE = """
[[rules]]
name = "base-images"
source = "127.0.0.1:1/team/app"
destinations = ["127.0.0.1:2/team/app"]
tags = { include = ["1.0"] }
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_an_unknown_key_of_the_configuration_is_named_with_the_nearest_known(replicate):
    replicate.write_config('[service]\ndatabse = "sqlite:///a.db"\n')

    done = await replicate("run")

    assert done.code == 2
    assert "databse" in done.complaint
    assert 'did you mean "database"' in done.complaint


@pytest.mark.parametrize(
    "wrong",
    [
        'tags = { semver = "new ones" }',
        'tags = { regex = ["("] }',
        'schedule = "at noon"',
        'timezone = "Mars/Olympus"',
        'platforms = ["windos/amd64"]',
    ],
)
async def test_what_a_rule_cannot_mean_is_told_with_the_name_of_its_file(replicate, wrong):
    rule = RULE.replace('tags = { include = ["1.0"] }', wrong)
    replicate.write_config(rule, "rules.toml")

    planned = await replicate("--config", "rules.toml", "plan")
    applied = await replicate("apply", "rules.toml", "--yes")

    assert planned.code == applied.code == 2
    assert planned.complaint.startswith(f'rules.toml: rule "base-images": {wrong.split()[0]}')
    assert applied.complaint == planned.complaint


async def test_a_value_of_the_wrong_type_is_shown_with_what_belongs_there(replicate):
    replicate.write_config(RULE.replace('["1.0"]', '"1.0"'))

    done = await replicate("plan")

    assert done.code == 2
    assert "tags.include" in done.complaint
    assert 'write ["1.0"]' in done.complaint


async def test_a_configuration_that_is_named_and_not_there_is_a_usage_error(replicate):
    done = await replicate("--config", "elsewhere.toml", "run")

    assert done.code == 2
    assert "elsewhere.toml: there is no such file" in done.complaint


async def test_a_configuration_named_by_the_environment_and_not_there_is_a_usage_error(replicate):
    replicate.variables["REPLICATOR_CONFIG"] = "elsewhere.toml"

    done = await replicate("run")

    assert done.code == 2
    assert "elsewhere.toml: there is no such file" in done.complaint


async def test_what_is_no_toml_is_shown_with_its_line(replicate):
    replicate.write_config("[service]\n\nconcurrency = \n")

    done = await replicate("run")

    assert done.code == 2
    assert "config.toml:3" in done.complaint


@pytest.mark.parametrize(
    "reference",
    ["https://registry.example.com/app", "registry.example.com/App:1", "a:b:c", "", "@"],
)
async def test_what_is_no_reference_is_a_usage_error(replicate, reference):
    done = await replicate("copy", reference, "127.0.0.1:1/app")

    assert done.code == 2
    assert done.complaint


async def test_a_bad_platform_is_a_usage_error(replicate):
    done = await replicate("copy", "127.0.0.1:1/a", "127.0.0.1:1/b", "--platform", "amd64")

    assert done.code == 2
    assert "amd64" in done.complaint


async def test_an_unknown_rule_is_named_with_the_nearest_known(replicate):
    replicate.write_config(RULE)

    done = await replicate("run", "base-image")

    assert done.code == 2
    assert "'base-image'" in done.complaint
    assert "did you mean 'base-images'" in done.complaint


async def test_without_any_rule_a_run_says_how_to_write_one(replicate):
    done = await replicate("run")

    assert done.code == 2
    assert "[[rules]]" in done.complaint


async def test_an_unknown_host_is_a_failure(replicate):
    done = await replicate("copy", "registry.invalid/app:1", "oci:copy")

    assert done.code == 1
    assert "registry.invalid" in done.complaint


async def test_a_refused_connection_is_a_failure(replicate):
    closed = f"127.0.0.1:{free_port()}"

    done = await replicate("copy", f"{closed}/app:1", "oci:copy")

    assert done.code == 1
    assert closed in done.complaint


async def test_a_wrong_password_is_a_failure(replicate, start_registry):
    registry = await start_registry(auth=TokenAuth(PlainPasswords({"alice": "wonderland"})))
    store_image(registry.storage, "app", "1")
    replicate.write_config(
        f'[registries."{registry.host}"]\ncredential = {{ username = "alice", password = "no" }}\n'
    )

    done = await replicate("copy", f"{registry.host}/app:1", "oci:copy")

    assert done.code == 1
    assert "alice" in done.complaint
    assert "refused" in done.complaint


async def test_a_missing_repository_is_a_failure(replicate, start_registry):
    registry = await start_registry()

    done = await replicate("copy", f"{registry.host}/nothing:1", "oci:copy")

    assert done.code == 1
    assert "404" in done.complaint
    assert f"{registry.host}/nothing" in done.complaint


async def test_a_missing_tag_is_a_failure(replicate, start_registry):
    registry = await start_registry()
    store_image(registry.storage, "app", "1")

    done = await replicate("copy", f"{registry.host}/app:2", "oci:copy")

    assert done.code == 1
    assert "404" in done.complaint
    assert f"{registry.host}/app:2" in done.complaint


async def test_a_certificate_that_nobody_trusts_is_a_failure(replicate, tls_registry):
    done = await replicate("copy", f"{tls_registry.host}/app:1", "oci:copy")

    assert done.code == 1
    assert "certificate" in done.complaint


async def test_wrong_bytes_from_the_source_are_a_failure_and_leave_no_tag(
    replicate, start_registry
):
    faults = Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    store_image(source.storage, "app", "1")
    faults.add(flip_byte(5), "GET", "/blobs/sha256:")

    done = await replicate("copy", f"{source.host}/app:1", f"{destination.host}/app:1")

    assert done.code == 1
    assert "sha256:" in done.complaint
    assert destination.storage.resolve("app", "1") is None


async def test_a_blob_that_always_breaks_off_is_a_failure_and_leaves_no_tag(
    replicate, start_registry
):
    faults = Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    store_image(source.storage, "app", "1", size=10_000)
    faults.add(cut_body(0), "GET", "/blobs/sha256:")
    replicate.write_config(f'[registries."{source.host}"]\nretries = 0\n')

    done = await replicate("copy", f"{source.host}/app:1", f"{destination.host}/app:1")

    assert done.code == 1
    assert source.host in done.complaint
    assert destination.storage.resolve("app", "1") is None


async def test_a_web_page_instead_of_a_manifest_is_a_failure(replicate, start_registry):
    faults = Faults()
    source = await start_registry(wrap=faults)
    page = b"<!doctype html><html><title>Log in</title></html>"
    faults.add(answer(200, page, headers={"Content-Type": "text/html"}))

    done = await replicate("copy", f"{source.host}/app:1", "oci:copy")

    assert done.code == 1
    assert "web page" in done.complaint


async def test_a_full_disk_below_a_layout_is_a_failure(replicate, start_registry, small_disk):
    source = await start_registry()
    store_image(source.storage, "app", "1", size=3_000_000)

    done = await replicate("copy", f"{source.host}/app:1", f"oci:{small_disk}/app")

    assert done.code == 1
    assert "No space left" in done.complaint


async def test_a_locked_database_is_an_error_of_use(replicate):
    replicate.write_config(RULE)
    assert (await replicate("plan")).code == 1
    with sqlite3.connect(replicate.folder / "replicator.db") as database:
        database.execute("BEGIN EXCLUSIVE")

        done = await replicate("run")

    assert done.code == 2
    assert "locked" in done.complaint


async def test_a_newer_database_is_refused(replicate):
    await replicate("db", "upgrade")
    with sqlite3.connect(replicate.folder / "replicator.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    replicate.write_config(RULE)

    for command in (["run"], ["plan"], ["runs", "list"], ["db", "upgrade"], ["db", "check"]):
        done = await replicate(*command)

        assert done.code == 2
        assert "newer version" in done.complaint


async def test_a_file_that_is_no_database_is_refused(replicate):
    (replicate.folder / "replicator.db").write_text("not SQLite at all, by any means")
    replicate.write_config(RULE)

    done = await replicate("run")

    assert done.code == 2
    assert "not an SQLite database" in done.complaint


async def test_a_report_that_cannot_be_written_is_told_before_anything_is_done(
    replicate, start_registry
):
    source, destination = await start_registry(), await start_registry()
    store_image(source.storage, "app", "1")

    done = await replicate(
        *("copy", f"{source.host}/app:1", f"{destination.host}/app:1"),
        *("--report", "no/such/folder/report.json"),
    )

    assert done.code == 2
    assert "no/such/folder" in done.complaint
    assert len(destination.requests) == 0


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["copy"], ["copy", "a"], ["run", "--nonsense"], ["runs", "show"], ["rule", "x"]],
)
async def test_what_is_no_command_is_a_usage_error_that_points_to_the_help(replicate, arguments):
    done = await replicate(*arguments)

    assert done.code == 2
    assert "--help" in done.complaint


async def test_rules_that_would_write_one_tag_are_refused_before_anything_is_written(replicate):
    replicate.write_config(RULE + RULE.replace("base-images", "others").replace(":1/", ":3/"))

    done = await replicate("run")

    assert done.code == 2
    assert "base-images" in done.complaint
    assert "others" in done.complaint
    assert json.loads((await replicate("rule", "list", "--json")).out or "null") is None


async def test_a_file_where_a_folder_should_be_is_told_with_its_name(replicate):
    file = replicate.folder / "file"
    file.write_text("")

    done = await replicate("demo", "--dir", file)

    assert done.code == 2
    assert done.complaint == f"{file}: file exists"


async def test_a_full_disk_behind_standard_output_is_told_in_one_line(replicate):
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        process = await replicate.start("--help", stdout=full)
        _, err = await process.communicate()
    finally:
        os.close(full)

    assert process.returncode == 1
    assert err.decode() == "replicate: no space left on device\n"
