"""S-10 … S-12, S-24, S-25: whose credentials go where, and where they never show."""

from __future__ import annotations

import contextlib
import json
import logging
import traceback

import pytest

from replicator.errors import ReplicatorError
from replicator.events import Event
from replicator.oci.reference import Tag
from replicator.registry.client import open_registry
from replicator.registry.keychain import ConfiguredKeychain
from replicator.registry.settings import Credentials, CredentialSource, RegistrySettings
from tests.registry.evil.servers import PASSWORD, TOKEN, Answer, Request, evil_registry
from tests.registry.evil.test_bodies import READS
from tests.registry.evil.test_redirects import BASIC

TAG = Tag("latest")


def basic(request: Request) -> Answer:
    return Answer(401, BASIC)


async def test_credentials_of_another_registry_are_not_used(evil, tmp_path, monkeypatch):
    """Nor those of the user who happens to run this."""
    docker = tmp_path / ".docker"
    docker.mkdir()
    login = {"username": "alice", "password": PASSWORD}
    (docker / "config.json").write_text(json.dumps({"auths": {evil.host: login}}))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(docker))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(docker / "config.json"))
    (tmp_path / ".netrc").write_text(f"machine {evil.address} login alice password {PASSWORD}\n")
    source = CredentialSource("alice", password=PASSWORD)
    evil.behave = basic
    for name in ("docker.io", evil.address, f"{evil.address}:1", f"*.{evil.host}", ""):
        registry = open_registry(
            RegistrySettings(evil.host, plain_http=True),
            keychain=ConfiguredKeychain({name: source}, {"HOME": str(tmp_path)}),
        )
        with pytest.raises(ReplicatorError):
            await registry.repository("a/b").get_manifest(TAG)
        await registry.aclose()

    assert all(request.header("authorization") is None for request in evil.requests)


async def test_two_entries_for_one_host_keep_their_logins_apart(evil, connect):
    evil.behave = lambda request: Answer(404) if request.header("authorization") else basic(request)
    source = connect(Credentials("alice", PASSWORD)).repository("a/b")
    destination = connect(Credentials("bob", "builder")).repository("a/b")
    seen = []

    for repository in (source, destination, source, destination):
        with contextlib.suppress(ReplicatorError):
            await repository.get_manifest(TAG)
        seen.append(evil.requests[-1].header("authorization"))

    assert seen[0] == seen[2] != seen[1] == seen[3]


async def test_a_password_is_not_in_any_url(evil, connect):
    def behave(request: Request) -> Answer:
        if request.path == "/token":
            return Answer(body=b'{"token":"%s"}' % TOKEN.encode())
        challenge = 'Bearer realm="/token",service="x"'
        return Answer(401, (("WWW-Authenticate", challenge),))

    evil.behave = behave
    with contextlib.suppress(ReplicatorError):
        await connect().repository("a/b").get_manifest(TAG)

    assert all(PASSWORD not in request.target for request in evil.requests)


def echo(request: Request) -> Answer:
    """Say everything that came, in every place where an answer has words."""
    if request.header("authorization") is None:
        return Answer(401, BASIC)
    said = f"{request.header('authorization')} {PASSWORD} {TOKEN}"
    body = {"errors": [{"code": "UNKNOWN", "detail": said}], "tags": said}
    return Answer(500, (("X-Said", said),), json.dumps(body).encode())


@pytest.mark.parametrize("action", READS)
async def test_secrets_and_signatures_are_in_no_log_event_or_error(evil, caplog, action):
    caplog.set_level(logging.DEBUG)
    events: list[Event] = []
    async with evil_registry() as storage:
        storage.behave = lambda request: Answer(500)
        location = f"{storage.url}/x?X-Amz-Signature={TOKEN}"
        for behave in (
            echo,
            lambda request: (
                Answer(307, (("Location", location),))
                if request.header("authorization")
                else basic(request)
            ),
        ):
            evil.behave = behave
            registry = open_registry(
                RegistrySettings(evil.host, plain_http=True, retries=0),
                keychain=ConfiguredKeychain(
                    {evil.host: CredentialSource("alice", password=PASSWORD)}, {}
                ),
                listener=events.append,
            )
            with pytest.raises(ReplicatorError) as failure:
                await action(registry)
            await registry.aclose()

            said = [*traceback.format_exception(failure.value), repr(vars(failure.value))]
            text = "".join((*said, repr(events), repr(registry), caplog.text))
            for secret in (PASSWORD, TOKEN, "YWxpY2U6"):
                assert secret not in text
