"""Which logins of Docker's and podman's files count beside those of the configuration."""

from __future__ import annotations

import base64
import json

import pytest

from replicator.bootstrap.docker_logins import login_files
from replicator.bootstrap.keychains import with_paths
from replicator.config import Config, RegistryEntry, ServiceSettings
from replicator.registry.settings import CredentialSource, RegistrySettings

HOST = "registry.example.com"
LOGIN = CredentialSource("alice", password="wonderland")
AUTH = {"auth": base64.b64encode(b"bob:builder").decode()}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes the keys of Docker's file, the only one there is."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))

    def write(*keys):
        file = tmp_path / "config.json"
        file.write_text(json.dumps({"auths": dict.fromkeys(keys, AUTH)}))

    return write


def logins(entry=None, **options):
    """The paths with logins of their own."""
    config = Config(registries={HOST: entry} if entry else {}, **options)
    settings = entry.settings if entry else RegistrySettings(HOST)
    return with_paths(settings, config).logins


def test_keys_with_a_path_of_this_host_count(write):
    write(HOST, f"{HOST}/team", f"{HOST}/team/app", "other.example.com/team")

    assert logins() == ("team", "team/app")


def test_what_the_configuration_has_a_login_for_is_not_looked_up_elsewhere(write):
    write(f"{HOST}/team/app", f"{HOST}/other")
    of_team = RegistryEntry(RegistrySettings(HOST, logins=("team",)), logins={"team": LOGIN})
    of_host = RegistryEntry(RegistrySettings(HOST), LOGIN)

    assert logins(of_team) == ("team", "other")
    assert logins(of_host) == ()


def test_whoever_wants_none_of_dockers_logins_gets_none_for_paths_either(write):
    write(f"{HOST}/team")

    assert logins(service=ServiceSettings(docker_config=False)) == ()


def test_podmans_file_is_where_podman_has_it():
    home = {"HOME": "/home/a"}
    files = [
        [str(file) for file in login_files(environment)]
        for environment in (
            home,
            home | {"XDG_RUNTIME_DIR": "/run/user/1", "XDG_CONFIG_HOME": "/conf"},
            home | {"REGISTRY_AUTH_FILE": "/a.json", "XDG_RUNTIME_DIR": "/run/user/1"},
        )
    ]

    docker = "/home/a/.docker/config.json"
    assert files == [
        [docker, "/home/a/.config/containers/auth.json"],
        [docker, "/run/user/1/containers/auth.json", "/conf/containers/auth.json"],
        [docker, "/a.json"],
    ]
