"""``replicate login``, ``logout`` and ``registry``, against real registries with real logins."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import stat

import pytest

from tests.support.builders import push_image
from tests.support.embedded import store_image
from tests.support.faults import Faults, answer
from tests.support.plain_repository import PlainRepository


@pytest.fixture(params=["htpasswd_registry", "token_registry"])
def closed(request, replicate):
    """A registry that asks for a name and a password, or for a token of a service elsewhere."""
    server = request.getfixturevalue(request.param)
    if request.param == "token_registry":
        tokens = request.getfixturevalue("tokens")
        replicate.write_config(
            f'[registries."{server.host}"]\ntoken_origins = ["{tokens.address.url}"]\n'
        )
    return server


def kept(replicate):
    return json.loads((replicate.folder / ".docker" / "config.json").read_text())


async def log_in(replicate, server, password=None):
    username, right = server.address.credentials
    return await replicate(
        *("login", server.host, "-u", username, "--password-stdin"),
        stdin=f"{right if password is None else password}\n",
    )


async def test_a_login_is_kept_where_docker_keeps_it_and_used_from_then_on(
    replicate, closed, repository_path
):
    with PlainRepository(closed.address, repository_path) as repository:
        push_image(repository, "1")
    source = f"{closed.host}/{repository_path}:1"

    before = await replicate("copy", source, "oci:copy")
    login = await log_in(replicate, closed)
    after = await replicate("copy", source, "oci:copy")

    assert before.code == 1
    assert "login" in before.complaint
    assert (login.code, login.out) == (0, f"logged in to {closed.host} as alice\n")
    assert kept(replicate)["auths"][closed.host] == {
        "auth": base64.b64encode(b"alice:wonderland").decode()
    }
    assert after.code == 0


async def test_only_its_owner_can_read_a_kept_login(replicate, htpasswd_registry):
    await log_in(replicate, htpasswd_registry)

    file = replicate.folder / ".docker" / "config.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_login_that_is_refused_is_not_kept(replicate, closed):
    done = await log_in(replicate, closed, password="wrong")

    assert done.code == 1
    assert "'alice'" in done.complaint
    assert not (replicate.folder / ".docker").exists()


async def test_a_logout_forgets_the_login_and_nothing_else(replicate, htpasswd_registry):
    await log_in(replicate, htpasswd_registry)
    file = replicate.folder / ".docker" / "config.json"
    file.write_text(json.dumps({**kept(replicate), "detachKeys": "ctrl-x"}))

    done = await replicate("logout", htpasswd_registry.host)
    again = await replicate("logout", htpasswd_registry.host)

    assert (done.code, done.out) == (0, f"logged out of {htpasswd_registry.host}\n")
    assert kept(replicate) == {"auths": {}, "detachKeys": "ctrl-x"}
    assert (again.code, again.out) == (0, f"there was no login for {htpasswd_registry.host}\n")


async def test_a_registry_that_asks_for_no_login_is_not_said_to_have_taken_it(
    replicate, start_registry
):
    """It is kept all the same: many registries ask only whoever writes."""
    server = await start_registry()

    done = await replicate("login", server.host, "-u", "me", "--password-stdin", stdin="any\n")

    assert done.code == 0
    assert done.out.startswith(f"kept the login of me for {server.host}, which asks for none: ")
    assert server.host in kept(replicate)["auths"]


async def test_docker_config_names_another_folder(replicate, htpasswd_registry):
    replicate.variables["DOCKER_CONFIG"] = str(replicate.folder / "elsewhere")

    await log_in(replicate, htpasswd_registry)

    assert (replicate.folder / "elsewhere" / "config.json").exists()


async def test_without_a_terminal_nobody_is_asked_for_a_password(replicate, htpasswd_registry):
    done = await replicate("login", htpasswd_registry.host, "-u", "alice")

    assert done.code == 2
    assert "--password-stdin" in done.complaint


async def test_a_password_from_a_pipe_needs_a_name(replicate, htpasswd_registry):
    done = await replicate("login", htpasswd_registry.host, "--password-stdin", stdin="secret")

    assert done.code == 2
    assert "-u NAME" in done.complaint


async def test_a_pipe_without_a_password_is_said_to_have_none(replicate):
    done = await replicate("login", "a.example.com", "-u", "me", "--password-stdin", stdin="\n")

    assert done.code == 2
    assert done.complaint == "--password-stdin: there was no password in the standard input"


async def test_on_a_terminal_name_and_password_are_asked_for_and_the_password_is_not_shown(
    replicate, htpasswd_registry
):
    terminal, theirs = pty.openpty()
    process = await replicate.start("login", htpasswd_registry.host, stdin=theirs)
    os.close(theirs)
    assert process.stderr is not None
    asked = await process.stderr.readuntil(b"user name: ")
    os.write(terminal, b"alice\n")
    # What is typed before somebody asks for a password is thrown away.
    asked += await process.stderr.readuntil(b"password: ")
    os.write(terminal, b"wonderland\n")
    out, err = await process.communicate()

    os.close(terminal)
    assert process.returncode == 0
    assert out.decode() == f"logged in to {htpasswd_registry.host} as alice\n"
    assert b"wonderland" not in asked + err


@pytest.mark.parametrize("host", ["registry.example.com/team", "http://a", "a b", ""])
async def test_what_is_no_host_is_a_usage_error(replicate, host):
    done = await replicate("login", host, "-u", "alice", "--password-stdin", stdin="secret")

    assert done.code == 2
    assert done.complaint


async def test_a_check_tells_what_there_is_to_know_of_a_registry(replicate, closed):
    await log_in(replicate, closed)

    done = await replicate("registry", "check", closed.host)

    assert done.code == 0
    assert f"address    http://{closed.host}\n" in done.out
    assert "login      accepted" in done.out


async def test_a_check_for_programs(replicate, distribution3, repository_path):
    with PlainRepository(distribution3.address, repository_path) as repository:
        push_image(repository, "1")

    done = await replicate(
        *("registry", "check", distribution3.host, "--json"),
        *("--repository", repository_path, "--write"),
    )

    found = {each["subject"]: each for each in done.json["findings"]}
    assert (done.code, done.json["good"]) == (0, True)
    assert found["tags"]["text"] == "1 tag on the first page"
    assert found["uploads"]["good"]


async def test_what_a_check_found_is_kept_where_there_is_a_database(replicate, start_registry):
    registry = await start_registry()
    store_image(registry.storage, "team/app", "1")
    command = ("registry", "check", registry.host, "--repository", "team/app")

    await replicate(*command)

    assert not (replicate.folder / "replicator.db").exists()
    shown = await replicate("registry", "show", registry.host)
    assert "checked" not in shown.out
    await replicate("db", "upgrade")
    done = await replicate(*command, "--json")
    assert done.json["kept"]
    shown = await replicate("registry", "show", registry.host)
    assert re.search(r"^checked +20\d\d-\d\d-\d\d \d\d:\d\d UTC$", shown.out, re.MULTILINE)
    assert re.search(r"^referrers api +yes$", shown.out, re.MULTILINE)
    as_json = await replicate("registry", "show", registry.host, "--json")
    assert as_json.json["checked"]["facts"]["digest_header"] is True


@pytest.mark.parametrize("is_checked", [True, False])
async def test_a_run_begins_with_what_a_check_found(replicate, start_registry, is_checked):
    faults = Faults()
    source, destination = await start_registry(wrap=faults), await start_registry()
    faults.add(answer(404), "GET", "/referrers/")
    store_image(source.storage, "team/app", "v1")
    replicate.write_config(f"""
        [[rules]]
        name = "rule"
        source = "{source.host}/team/app"
        destinations = ["{destination.host}/{{repository}}"]
    """)
    await replicate("db", "upgrade")
    if is_checked:
        await replicate("registry", "check", source.host, "--repository", "team/app")
    before = source.requests.count("GET", "/referrers/")

    done = await replicate("run")

    assert done.code == 0
    assert (source.requests.count("GET", "/referrers/") == before) == is_checked


async def test_a_check_that_finds_something_wrong_says_what_and_exits_with_1(
    replicate, start_registry
):
    faults = Faults()
    registry = await start_registry(wrap=faults)
    faults.add(answer(200, b"<html>hello", headers={"Content-Type": "text/html"}))

    done = await replicate("registry", "check", registry.host)
    as_json = await replicate("registry", "check", registry.host, "--json")

    assert done.code == as_json.code == 1
    assert "web page" in done.complaint
    assert as_json.json["good"] is False


async def test_a_check_that_writes_needs_to_know_where(replicate, distribution3):
    done = await replicate("registry", "check", distribution3.host, "--write")

    assert done.code == 2
    assert "--repository" in done.complaint


async def test_a_registry_on_this_machine_is_shown_without_a_scheme_while_that_is_not_known(
    replicate,
):
    replicate.write_config("""
[registries."localhost:5000"]
[registries."127.0.0.1:5001"]
plain_http = true
[registries."127.0.0.1:5002"]
plain_http = false
""")

    listed = await replicate("registry", "list", "--json")
    shown = await replicate("registry", "show", "[::1]:5003", "--json")

    endpoints = [each["endpoint"] for each in listed.json["registries"]]
    assert endpoints == ["localhost:5000", "http://127.0.0.1:5001", "https://127.0.0.1:5002"]
    assert shown.json["endpoint"] == "[::1]:5003"


async def test_the_configured_registries_are_listed_without_their_secrets(replicate):
    replicate.write_config("""
[registries."docker.io"]
credential = { username = "acme", password = "hush" }

[registries."registry.example.com"]
kind = "harbor"
endpoint = "https://10.1.2.3:8443"
""")

    done = await replicate("registry", "list")
    as_json = await replicate("registry", "list", "--json")

    assert "hush" not in done.out + as_json.out
    assert as_json.json["registries"] == [
        {
            "registry": "docker.io",
            "kind": "dockerhub",
            "endpoint": "https://registry-1.docker.io",
            "login": "acme",
        },
        {
            "registry": "registry.example.com",
            "kind": "harbor",
            "endpoint": "https://10.1.2.3:8443",
            "login": "docker",
        },
    ]


async def test_a_list_of_no_registries_says_how_to_add_one(replicate):
    done = await replicate("registry", "list")

    assert (done.code, done.out) == (0, "")
    assert "no registry is configured" in done.err
    assert "replicate registry add" in done.err


async def test_who_changes_a_registry_is_told_from_when_it_counts(replicate):
    added = await replicate("registry", "add", "registry.example.com")
    deleted = await replicate("registry", "delete", "registry.example.com")

    assert (added.code, deleted.code) == (0, 0)
    assert "running go by that from their next start" in added.out
    assert "running go by that from their next start" in deleted.out
