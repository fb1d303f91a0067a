from __future__ import annotations

import base64
import contextlib
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicator.errors import ConfigError, ReplicatorError
from replicator.registry.docker_config import (
    DockerKeychain,
    erase_login,
    paths_with_logins,
    store_login,
)
from replicator.registry.settings import Credentials

HOST = "registry.example.com"
HUB = "https://index.docker.io/v1/"
ALICE = Credentials("alice", "wonderland")


def auth(text: str = "alice:wonderland") -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "docker" / "config.json"


def write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent="\t"))


async def found(path: Path, content: object, registry: str = HOST) -> Credentials | None:
    write(path, content)
    return await DockerKeychain(path).credentials_for(registry)


class TestReading:
    @pytest.mark.parametrize(
        ("entry", "expected"),
        [
            (auth(), ALICE),
            (auth("alice:a:b:c"), Credentials("alice", "a:b:c")),
            (auth("alice:wonderland\0\0"), ALICE),
            (auth("józef:zażółć"), Credentials("józef", "zażółć")),
            ({"username": "alice", "password": "wonderland"}, ALICE),
            ({**auth(), "username": "bob", "password": "other"}, ALICE),
            (
                {**auth("alice:"), "identitytoken": "refresh"},
                Credentials("alice", "", "refresh"),
            ),
            ({"identitytoken": "refresh"}, Credentials("", "", "refresh")),
            ({}, None),
            ({"email": "alice@example.com"}, None),
        ],
    )
    async def test_a_login_is_read_in_every_form_that_docker_writes(self, path, entry, expected):
        assert await found(path, {"auths": {HOST: entry}}) == expected

    @pytest.mark.parametrize(
        "key",
        [
            HOST,
            "Registry.Example.COM",
            f"https://{HOST}",
            f"https://{HOST}/",
            f"https://{HOST}/v1/",
            f"http://{HOST}/v2",
            f"https://{HOST}/v2/",
        ],
    )
    async def test_old_ways_to_write_a_host_count(self, path, key):
        assert await found(path, {"auths": {key: auth()}}) == ALICE

    @pytest.mark.parametrize(
        "key",
        [
            "example.com",
            "*.example.com",
            "a.registry.example.com",
            f"{HOST}:443",
            f"{HOST}/team",
            f"{HOST}/v1",
            f"https://{HOST}/team",
            f"https://{HOST}:5000/v1/",
            f"ftp://{HOST}",
            f"{HOST}.",
            "",
            "https://",
            f"https://evil.example/{HOST}",
            f"https://{HOST}@evil.example/",
        ],
    )
    async def test_a_key_for_anything_else_does_not(self, path, key):
        assert await found(path, {"auths": {key: auth()}}) is None

    async def test_a_key_with_a_path_is_for_what_is_below_it(self, path):
        bob = Credentials("bob", "builder")
        logins = {HOST: auth(), f"{HOST}/team": auth("bob:builder"), f"{HOST}/empty": {}}

        assert await found(path, {"auths": logins, "credsStore": "none"}, f"{HOST}/team") == bob
        assert await found(path, {"auths": logins}) == ALICE
        assert await found(path, {"auths": logins}, f"{HOST}/other") is None
        assert paths_with_logins(path, HOST) == ("team",)
        assert paths_with_logins(path, "other.example.com") == ()

    @pytest.mark.parametrize("host", ["docker.io", "index.docker.io"])
    async def test_paths_of_docker_hub_are_known_by_its_names(self, path, host):
        assert await found(path, {"auths": {f"{host}/acme": auth()}}, "docker.io/acme") == ALICE
        assert paths_with_logins(path, "docker.io") == ("acme",)

    @pytest.mark.parametrize("key", [HUB, "docker.io", "index.docker.io", "https://docker.io/v1/"])
    async def test_docker_hub_is_known_by_its_names(self, path, key):
        assert await found(path, {"auths": {key: auth()}}, "docker.io") == ALICE

    async def test_the_key_that_docker_writes_comes_first(self, path):
        logins = {"docker.io": auth("a:x"), "index.docker.io": auth("b:x"), HUB: auth("c:x")}

        assert await found(path, {"auths": logins}, "docker.io") == Credentials("c", "x")

    async def test_an_empty_entry_does_not_hide_one_that_is_not(self, path):
        logins = {HOST: {}, f"https://{HOST}/v1/": auth()}

        assert await found(path, {"auths": logins}) == ALICE

    @pytest.mark.parametrize("content", [{}, {"auths": {}}, {"auths": None}, {"HttpHeaders": {}}])
    async def test_a_file_without_logins_has_none(self, path, content):
        assert await found(path, content) is None

    async def test_a_file_that_is_not_there_has_none(self, path):
        assert await DockerKeychain(path).credentials_for(HOST) is None

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "{",
            "[]",
            '{"auths": {"canary": 1,}}',
            {"auths": []},
            {"auths": {HOST: "canary"}},
            {"auths": {HOST: {"auth": "canary!"}}},
            {"auths": {HOST: {"auth": ["canary"]}}},
            {"auths": {HOST: auth("canary")}},
            {"auths": {HOST: {"auth": "/////w=="}}},
            {"credHelpers": {HOST: 7}},
            {"credsStore": {}},
            '{"auths": {}, "auths": {}}',
        ],
    )
    async def test_a_damaged_file_makes_nobody_anonymous_and_is_not_repeated(self, path, content):
        with pytest.raises(ConfigError, match=r"config\.json") as failure:
            await found(path, content)

        assert "canary" not in str(failure.value)

    async def test_the_place_of_a_mistake_is_said(self, path):
        with pytest.raises(ConfigError, match="line 2 column 1"):
            await found(path, '{"auths":\n}')

    async def test_a_folder_is_not_a_file(self, path):
        path.mkdir(parents=True)

        with pytest.raises(ConfigError, match="cannot be read"):
            await DockerKeychain(path).credentials_for(HOST)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from([HOST, "auths", "auth", "credHelpers", ""]), inner
                )
            ),
        )
    )
    async def test_no_file_breaks_the_reader(self, path, content):
        with contextlib.suppress(ReplicatorError):
            await found(path, content)


class TestWriting:
    async def test_what_is_stored_is_found(self, path):
        for registry in (HOST, "docker.io", "localhost:5000"):
            await store_login(path, registry, ALICE)

        for registry in (HOST, "docker.io", "localhost:5000"):
            assert await DockerKeychain(path).credentials_for(registry) == ALICE
        assert set(json.loads(path.read_text())["auths"]) == {HOST, HUB, "localhost:5000"}

    async def test_an_identity_token_is_found_again(self, path):
        credentials = Credentials("alice", "", "refresh")

        await store_login(path, HOST, credentials)

        assert await DockerKeychain(path).credentials_for(HOST) == credentials

    async def test_the_rest_of_the_file_stays_as_it_is(self, path):
        content = {
            "HttpHeaders": {"X-Meta": "ąę"},
            "auths": {"quay.io": auth("bob:builder"), HOST: auth("alice:old")},
            "psFormat": "table {{.Names}}",
            "detachKeys": "ctrl-e,e",
        }
        write(path, content)

        await store_login(path, HOST, ALICE)

        after = json.loads(path.read_text())
        assert list(after) == list(content)
        assert after == {**content, "auths": {"quay.io": auth("bob:builder"), HOST: auth()}}

    async def test_other_ways_to_write_the_host_are_replaced(self, path):
        write(path, {"auths": {f"https://{HOST}/v1/": auth("alice:old")}})

        await store_login(path, HOST, ALICE)

        assert json.loads(path.read_text())["auths"] == {HOST: auth()}

    async def test_the_file_is_for_its_owner_alone(self, path):
        write(path, {})
        path.chmod(0o644)

        await store_login(path, HOST, ALICE)

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.listdir(path.parent) == ["config.json"]

    async def test_a_folder_that_is_made_for_it_is_as_well(self, path):
        await store_login(path, HOST, ALICE)

        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    async def test_a_link_stays_a_link(self, path, tmp_path):
        real = tmp_path / "real.json"
        write(path, {})
        path.rename(real)
        path.symlink_to(real)

        await store_login(path, HOST, ALICE)

        assert path.is_symlink()
        assert json.loads(real.read_text())["auths"] == {HOST: auth()}

    async def test_a_file_that_cannot_be_written_stays_whole(self, path, tmp_path):
        write(path, {"auths": {HOST: auth("alice:old")}})
        before = path.read_text()
        (tmp_path / "file").write_text("")

        with pytest.raises(ConfigError, match="cannot be"):
            await store_login(tmp_path / "file" / "config.json", HOST, ALICE)

        assert path.read_text() == before

    async def test_a_damaged_file_is_not_overwritten(self, path):
        write(path, "{ not JSON")

        with pytest.raises(ConfigError, match="not JSON"):
            await store_login(path, HOST, ALICE)

        assert path.read_text() == "{ not JSON"

    async def test_a_user_name_with_a_colon_could_not_be_read_again(self, path):
        with pytest.raises(ConfigError, match="colon"):
            await store_login(path, HOST, Credentials("a:b", "c"))

    async def test_what_is_erased_is_gone_in_every_form_and_nothing_else_is(self, path):
        write(path, {"auths": {HOST: auth(), f"https://{HOST}/v1/": auth(), "quay.io": auth()}})

        assert await erase_login(path, HOST)

        assert json.loads(path.read_text()) == {"auths": {"quay.io": auth()}}

    async def test_what_was_not_there_is_not_erased_and_nothing_is_written(self, path):
        assert not await erase_login(path, HOST)
        assert not path.exists()
