"""``replicate plan`` and ``run --dry-run`` where one side cannot be looked at."""

from __future__ import annotations

import pytest

from tests.support.embedded import store_image
from tests.support.faults import Faults, answer
from tests.support.processes import free_port

DRY = pytest.mark.parametrize("command", [("plan",), ("run", "--dry-run")], ids=" ".join)


def rule(source, destination, include='["1.*"]'):
    return f"""
[[rules]]
name = "app"
source = "{source}/team/app"
destinations = ["{destination}/mirror"]
tags = {{ include = {include} }}
"""


def login(host, more=""):
    return f"""
[registries."{host}"]
credential = {{ username = "alice", password_env = "PASSWORD" }}
{more}
"""


@pytest.fixture
async def source(start_registry):
    registry = await start_registry()
    for tag in ("1.0", "1.1", "1.2"):
        store_image(registry.storage, "team/app", tag, seed=tag)
    return registry


@pytest.fixture(params=["htpasswd_registry", "token_registry"])
def closed(request):
    """The host of a registry with logins, and what its entry needs besides one."""
    server = request.getfixturevalue(request.param)
    if request.param == "htpasswd_registry":
        return server.host, ""
    tokens = request.getfixturevalue("tokens")
    return server.host, f'token_origins = ["{tokens.address.url}"]'


@pytest.fixture
def nowhere():
    """A host where nobody listens, and the entry by which it is tried once."""
    host = f"127.0.0.1:{free_port()}"
    return host, f'[registries."{host}"]\nretries = 0\n'


@DRY
@pytest.mark.parametrize("create", ["on-push", "if-missing"])
async def test_a_refused_login_fails_in_a_plan_as_it_does_in_a_run(
    replicate, source, closed, create, command
):
    host, more = closed
    entry = login(host, f'{more}\ncreate = "{create}"')
    replicate.variables["PASSWORD"] = "wrong"
    replicate.write_config(entry + rule(source.host, host))

    done = await replicate(*command)

    refusal = f"{host}: the login of user 'alice' was refused"
    assert done.code == 1
    assert done.out.splitlines() == ["app: 3 tags could not be looked at"]
    lines = done.err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"replicate: {source.host}/team/app:1.") for line in lines)
    assert all(line.endswith(refusal) for line in lines), done.err


@DRY
async def test_a_missing_login_fails_in_a_plan_as_it_does_in_a_run(
    replicate, source, htpasswd_registry, command
):
    replicate.write_config(rule(source.host, htpasswd_registry.host))

    done = await replicate(*command)

    assert (done.code, done.out) == (1, "app: 3 tags could not be looked at\n")
    assert done.err.count("it asks for a login") == 3


async def test_a_login_that_is_refused_by_one_destination_alone_makes_a_plan_partial(
    replicate, source, start_registry, htpasswd_registry
):
    other = await start_registry()
    host = htpasswd_registry.host
    replicate.variables["PASSWORD"] = "wrong"
    both = rule(source.host, host).replace("/mirror", f'/mirror", "{other.host}/mirror')
    replicate.write_config(login(host) + both)

    done = await replicate("plan")

    assert done.code == 3
    assert done.out.startswith("app: 3 to copy, ")
    assert "3 tags could not be looked at" in done.out.splitlines()[0]


@DRY
@pytest.mark.parametrize("status", [401, 403])
async def test_who_may_not_look_is_told_so_and_the_copy_is_still_planned(
    replicate, source, start_registry, status, command
):
    faults = Faults()
    destination = await start_registry(wrap=faults)
    faults.add(answer(status), target="/manifests/")
    replicate.write_config(rule(source.host, destination.host))

    done = await replicate(*command)

    assert done.code == 0
    assert done.out.startswith("app: 3 to copy")
    assert done.out.count("the destination could not be looked at: ") == 3
    assert str(status) in done.out
    assert "never published" not in done.out
    assert done.err == ""


@DRY
async def test_the_tags_of_a_destination_out_of_reach_are_counted(
    replicate, source, nowhere, command
):
    host, entry = nowhere
    replicate.write_config(entry + rule(source.host, host))

    done = await replicate(*command)

    assert (done.code, done.out) == (1, "app: 3 tags could not be looked at\n")
    assert len(done.err.splitlines()) == 3


@DRY
async def test_a_source_out_of_reach_is_named_once(replicate, start_registry, nowhere, command):
    host, entry = nowhere
    replicate.write_config(entry + rule(host, (await start_registry()).host))

    done = await replicate(*command)

    assert (done.code, done.out) == (1, "app: not all tags could be listed\n")
    assert done.complaint.startswith(f"{host}/team/app: GET tags/list: no answer: ")
    assert done.complaint.count(host) == 1


@DRY
async def test_tags_that_are_named_cannot_be_looked_at_where_their_source_is_out_of_reach(
    replicate, start_registry, nowhere, command
):
    host, entry = nowhere
    replicate.write_config(entry + rule(host, (await start_registry()).host, '["1.0", "1.1"]'))

    done = await replicate(*command)

    assert (done.code, done.out) == (1, "app: 2 tags could not be looked at\n")
