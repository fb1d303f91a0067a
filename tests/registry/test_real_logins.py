"""Logins at real registries: distribution with a password file, and with its own token server."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from replicator.errors import NotFound, Unauthorized
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.registry.client import Registry, open_registry
from replicator.registry.docker_config import DockerKeychain, erase_login, store_login
from replicator.registry.keychain import Given, Keychain
from replicator.registry.settings import Credentials, RegistrySettings
from tests.support.servers import Server
from tests.support.token_server import TokenServer

ALICE = Credentials("alice", "wonderland")
WRONG = Credentials("alice", "guessed")
BLOB = Descriptor("application/octet-stream", Digest.of(b"blob"), 4)

Connect = Callable[..., Registry]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Open the client of a server."""
    async with AsyncExitStack() as stack:

        def open_client(
            server: Server, login: Keychain | Credentials | None = ALICE, **settings: object
        ) -> Registry:
            if login is None or isinstance(login, Credentials):
                login = Given(server.host, login)
            registry = open_registry(RegistrySettings(server.host, **settings), keychain=login)
            stack.push_async_callback(registry.aclose)
            return registry

        yield open_client


async def upload(registry: Registry, path: str) -> None:
    async def pieces():
        yield b"blob"

    session = await registry.repository(path).offer_blob(BLOB)
    await session.send(pieces())


async def read(registry: Registry, path: str) -> None:
    """Ask for a tag that does not exist, which takes the right to pull."""
    with contextlib.suppress(NotFound):
        await registry.repository(path).get_manifest(Tag("latest"))


class TestPasswordFile:
    async def test_the_login_is_sent_from_the_second_request_on(
        self, htpasswd_registry, connect, repository_path
    ):
        since = htpasswd_registry.mark()

        await upload(connect(htpasswd_registry), repository_path)

        statuses = [request.status for request in htpasswd_registry.requests(since)]
        assert statuses.count(401) == 1

    async def test_a_wrong_one_is_found_out(self, htpasswd_registry, connect, repository_path):
        registry = connect(htpasswd_registry, WRONG)

        with pytest.raises(Unauthorized, match="the login of user 'alice' was refused"):
            await read(registry, repository_path)

    async def test_so_is_that_there_is_none(self, htpasswd_registry, connect, repository_path):
        with pytest.raises(Unauthorized, match="it asks for a login"):
            await read(connect(htpasswd_registry, None), repository_path)

    async def test_checking_a_login(self, htpasswd_registry, connect):
        await connect(htpasswd_registry).check_login()
        for login in (WRONG, None):
            with pytest.raises(Unauthorized):
                await connect(htpasswd_registry, login).check_login()


class TestTokenServer:
    @pytest.fixture
    def connect(self, connect: Connect, tokens: TokenServer) -> Connect:
        def open_client(server: Server, login: Credentials | None = ALICE) -> Registry:
            return connect(server, login, token_origins=(tokens.address.url,))

        return open_client

    async def test_one_token_serves_all_requests_for_one_purpose(
        self, token_registry, connect, repository_path
    ):
        registry = connect(token_registry)
        await read(registry, repository_path)
        since = token_registry.mark()

        await asyncio.gather(*(read(registry, repository_path) for _ in range(20)))

        statuses = [request.status for request in token_registry.requests(since)]
        assert statuses == [404] * 20

    async def test_whoever_may_push_pushes(self, token_registry, connect, repository_path):
        registry = connect(token_registry)

        await upload(registry, repository_path)

        assert await registry.repository(repository_path).has_blob(BLOB)

    async def test_a_repository_of_somebody_else_is_closed(self, token_registry, connect):
        with pytest.raises(Unauthorized):
            await upload(connect(token_registry), "bob/app")

    async def test_a_wrong_password_is_found_out(self, token_registry, connect, repository_path):
        with pytest.raises(Unauthorized, match="the login of user 'alice' was refused"):
            await upload(connect(token_registry, WRONG), repository_path)

    async def test_checking_a_login(self, token_registry, connect):
        await connect(token_registry).check_login()
        with pytest.raises(Unauthorized, match="the login of user 'alice' was refused"):
            await connect(token_registry, WRONG).check_login()


class TestDockerFiles:
    """The same files as those of a program that somebody else wrote."""

    async def test_what_skopeo_keeps_we_find(self, htpasswd_registry, connect, tmp_path: Path):
        file = tmp_path / "auth.json"
        skopeo(
            "login",
            "--tls-verify=false",
            "--authfile",
            file,
            "-u",
            "alice",
            "-p",
            "wonderland",
            htpasswd_registry.host,
        )

        await connect(htpasswd_registry, DockerKeychain(file)).check_login()

    async def test_what_we_keep_skopeo_finds(self, htpasswd_registry, tmp_path: Path):
        file = tmp_path / "auth.json"
        host = htpasswd_registry.host

        await store_login(file, host, ALICE)
        assert skopeo("login", "--get-login", "--authfile", file, host) == "alice\n"

        await erase_login(file, host)
        with pytest.raises(subprocess.CalledProcessError):
            skopeo("login", "--get-login", "--authfile", file, host)


def skopeo(*arguments: str | Path) -> str:
    done = subprocess.run(["skopeo", *arguments], check=True, capture_output=True, text=True)
    return done.stdout
