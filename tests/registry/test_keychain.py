from __future__ import annotations

import pytest

from replicator.errors import ConfigError
from replicator.registry.keychain import ConfiguredKeychain, FirstOf, Given
from replicator.registry.settings import Credentials, CredentialSource

HOST = "registry.example.com"


def configured(environment=None, registry=HOST, **source) -> ConfiguredKeychain:
    return ConfiguredKeychain({registry: CredentialSource(**source)}, environment or {})


async def test_a_password_may_stand_in_the_configuration():
    keychain = configured(username="alice", password="wonderland")

    assert await keychain.credentials_for(HOST) == Credentials("alice", "wonderland")


async def test_a_password_may_come_from_the_environment():
    keychain = configured(
        {"HUB_PASSWORD": "wonderland"}, username="alice", password_env="HUB_PASSWORD"
    )

    assert await keychain.credentials_for(HOST) == Credentials("alice", "wonderland")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
async def test_a_password_may_come_from_a_file_with_or_without_a_line_end(tmp_path, end):
    file = tmp_path / "password"
    file.write_bytes(b" wonder land " + end.encode())

    keychain = configured(username="alice", password_file=file)

    assert await keychain.credentials_for(HOST) == Credentials("alice", " wonder land ")


async def test_a_file_is_read_each_time_it_is_needed(tmp_path):
    file = tmp_path / "password"
    file.write_text("old\n")
    keychain = configured(username="alice", password_file=file)
    assert await keychain.credentials_for(HOST) == Credentials("alice", "old")

    file.write_text("new\n")

    assert await keychain.credentials_for(HOST) == Credentials("alice", "new")


async def test_an_identity_token_comes_from_the_same_places(tmp_path):
    file = tmp_path / "token"
    file.write_text("from-file\n")

    for keychain, expected in (
        (configured(identity_token="given"), "given"),
        (configured({"TOKEN": "from-env"}, identity_token_env="TOKEN"), "from-env"),
        (configured(identity_token_file=file), "from-file"),
    ):
        assert await keychain.credentials_for(HOST) == Credentials("", identity_token=expected)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"x" * 65_537])
async def test_a_secret_that_cannot_be_read_makes_nobody_anonymous(tmp_path, content):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError, match=rf"^{HOST}: .*password") as failure:
        await configured(username="alice", password_file=file).credentials_for(HOST)

    assert "x" * 20 not in str(failure.value)


@pytest.mark.parametrize("environment", [{}, {"HUB_PASSWORD": ""}])
async def test_a_variable_that_is_not_set_makes_nobody_anonymous(environment):
    keychain = configured(environment, username="alice", password_env="HUB_PASSWORD")

    with pytest.raises(
        ConfigError, match=f"{HOST}: the environment variable HUB_PASSWORD is not set"
    ):
        await keychain.credentials_for(HOST)


@pytest.mark.parametrize(
    "asked",
    [
        "example.com",
        "a.registry.example.com",
        "registry.example.com:5000",
        "registry.example.com.evil",
        "docker.io",
        "",
        "*",
    ],
)
async def test_credentials_are_for_the_named_host_and_no_other(asked):
    keychain = configured(username="alice", password="wonderland")

    assert await keychain.credentials_for(asked) is None


async def test_of_several_keychains_the_first_that_has_credentials_decides():
    keychain = FirstOf(
        configured(username="alice", password="configured"),
        Given(HOST, Credentials("alice", "docker")),
        Given("docker.io", Credentials("bob", "docker")),
    )

    assert await keychain.credentials_for(HOST) == Credentials("alice", "configured")
    assert await keychain.credentials_for("docker.io") == Credentials("bob", "docker")
    assert await keychain.credentials_for("quay.io") is None


async def test_a_mistake_in_the_first_is_not_made_good_by_the_second():
    keychain = FirstOf(
        configured(username="alice", password_env="MISSING"), Given(HOST, Credentials("bob", "x"))
    )

    with pytest.raises(ConfigError):
        await keychain.credentials_for(HOST)


def test_secrets_are_in_no_repr():
    credentials = Credentials("alice", "canary", "canary")
    source = CredentialSource("alice", password="canary", identity_token="canary")

    assert "canary" not in repr([credentials, source])
