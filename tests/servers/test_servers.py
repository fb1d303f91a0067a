"""The servers of the tests are what the tests take them for."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support import tools
from tests.support.address import Address, Credentials
from tests.support.builders import push_image
from tests.support.contents import named_by
from tests.support.plain_http import UnexpectedAnswer
from tests.support.plain_repository import PlainRepository
from tests.support.processes import Command, ServerFailed, ServerProcess, serving
from tests.support.servers import Server, distribution


def test_requests_are_those_since_the_mark(server, repository_path):
    with PlainRepository(server.address, repository_path) as repository:
        push_image(repository, "before")

        since = server.mark()
        repository.tags()
        repository.digest("nosuch")

    asked = server.requests(since)
    assert [(method, uri) for method, uri, _ in asked] == [
        ("GET", f"/v2/{repository_path}/tags/list?n=1000"),
        ("GET", f"/v2/{repository_path}/manifests/nosuch"),
    ]
    assert asked[1].status == 404


def test_marks_themselves_are_not_counted(server):
    since = server.mark()

    server.mark()

    assert server.requests(since) == []


def test_the_status_of_a_success_is_known_for_distribution(distribution3, repository_path):
    since = distribution3.mark()
    with PlainRepository(distribution3.address, repository_path) as repository:
        repository.put_blob(b"one", "application/octet-stream")

    assert [(one.method, one.status) for one in distribution3.requests(since)] == [
        ("POST", 202),
        ("PUT", 201),
    ]


@pytest.mark.parametrize("kind", ["htpasswd_registry", "token_registry"])
def test_nobody_gets_in_without_the_password(kind, repository_path, request):
    server: Server = request.getfixturevalue(kind)
    user = server.address.credentials.username

    for credentials in (None, Credentials(user, "wrong")):
        stranger = PlainRepository(Address(server.host, credentials), repository_path)
        with stranger, pytest.raises(UnexpectedAnswer, match="401"):
            push_image(stranger, "v1")


@pytest.mark.parametrize("version", [2, 3])
def test_tokens_open_the_repositories_below_the_users_name_only(version, tokens):
    with distribution(version, tokens=tokens) as server:
        with PlainRepository(server.address, "alice/own") as own:
            pushed = push_image(own, "v1")
            assert own.digest("v1") == pushed.digest
        foreign = PlainRepository(server.address, "bob/foreign")
        with foreign, pytest.raises(UnexpectedAnswer, match="401"):
            push_image(foreign, "v1")


def test_only_those_who_know_the_authority_trust_the_tls_registry(tls_registry):
    host, port = tls_registry.host.split(":")
    connection = socket.create_connection((host, int(port)))
    with connection, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(connection, server_hostname=host)

    with closing(tls_registry.address.connect()) as trusting:
        trusting.request("GET", "/v2/")
        assert trusting.getresponse().status == 200


def test_the_proxy_reads_from_its_upstream_once(pull_through, repository_path):
    with PlainRepository(pull_through.upstream.address, repository_path) as repository:
        pushed = push_image(repository, "v1", layers=1)
        _config, layer = named_by(repository.manifest(pushed.digest))[1]

    since = pull_through.upstream.mark()
    with PlainRepository(pull_through.address, repository_path) as proxied:
        assert proxied.manifest(pushed.digest)
        assert proxied.blob(layer) == proxied.blob(layer)

    reads = [one for one in pull_through.upstream.requests(since) if one.method == "GET"]
    assert sum(layer in one.uri for one in reads) == 1


def test_a_server_that_loses_its_port_to_another_starts_on_the_next(squatters):
    def command(port: int) -> Command:
        crane = [tools.built("crane"), "registry", "serve", "--address", f"127.0.0.1:{port}"]
        if not squatters:
            squatters.append(ServerProcess(crane))
            squatters[0].wait_for_line("serving on port")
        return crane

    def knock(port: int, text: str) -> None:
        Address(f"127.0.0.1:{port}").knock("/v2/", text)

    with serving(command, knock) as (server, port):
        Address(f"127.0.0.1:{port}").knock("/v2/", "who-is-there")

        assert server.wait_for_line("who-is-there")
        assert not any("who-is-there" in line for line in squatters[0].lines)


@pytest.fixture
def squatters() -> Iterator[list[ServerProcess]]:
    processes: list[ServerProcess] = []
    yield processes
    for process in processes:
        process.stop()


def test_a_server_that_cannot_start_is_reported_with_what_it_said():
    def knock(port: int, text: str) -> None:
        Address(f"127.0.0.1:{port}").knock("/v2/", text)

    never_up = serving(lambda _: [tools.built("crane"), "no-such-command"], knock)
    with pytest.raises(ServerFailed, match="unknown command"), never_up:
        pass


def test_a_missing_tool_is_named_together_with_what_installs_it():
    with pytest.raises(tools.MissingTool, match=r"no-such-tool.*make tools"):
        tools.built("no-such-tool")
