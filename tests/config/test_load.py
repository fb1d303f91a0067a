"""A configuration that is right: what of it counts, and where its paths lead."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from replicator.config import Config, RegistryEntry, ServiceSettings, load_config
from replicator.oci.platform import Platform
from replicator.planning.rule import Origin, RepositorySelection, Rule, TagSelection
from replicator.registry.bandwidth import BandwidthHours
from replicator.registry.settings import CredentialSource, RegistrySettings, Timeouts, Tls

DESIGN_EXAMPLE = """
[service]
database = "sqlite:///replicator.db"            # or postgresql://user@host/db

[registries."docker.io"]
credential = { username = "acme", password_file = "/run/secrets/hub" }
mirrors = ["https://mirror.example.com"]

[registries."registry.example.com"]
kind = "harbor"
ca_file = "ca.pem"
max_concurrency = 16
bandwidth = "50MiB/s"

[[rules]]
name = "base-images"
source = "docker.io/library/*"
destinations = ["registry.example.com/hub/{repository}", "quay.io/acme/{name}"]
schedule = "0 3 * * *"
timezone = "Asia/Shanghai"
repositories = { include = ["alpine", "debian", "python"] }
tags = { semver = ">=3.18", exclude = ["*-rc*"], latest = 5 }
platforms = ["linux/amd64", "linux/arm64"]      # left out: the whole index, digest unchanged
referrers = true
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_all_that_a_file_says_is_read(file: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    file.write_text(DESIGN_EXAMPLE)

    config = load_config(file, {})

    assert config == Config(
        path=file,
        service=ServiceSettings(database=f"sqlite:///{tmp_path}/replicator.db"),
        registries={
            "docker.io": RegistryEntry(
                RegistrySettings("docker.io", mirrors=("https://mirror.example.com",)),
                CredentialSource("acme", password_file=Path("/run/secrets/hub")),
            ),
            "registry.example.com": RegistryEntry(
                RegistrySettings(
                    "registry.example.com",
                    kind="harbor",
                    tls=Tls(ca_file=tmp_path / "ca.pem"),
                    max_concurrency=16,
                    bandwidth=(BandwidthHours(50 * 1024 * 1024),),
                )
            ),
        },
        rules=(
            Rule(
                "base-images",
                "docker.io/library/*",
                ("registry.example.com/hub/{repository}", "quay.io/acme/{name}"),
                repositories=RepositorySelection(include=("alpine", "debian", "python")),
                tags=TagSelection(semver=">=3.18", exclude=("*-rc*",), latest=5),
                platforms=(Platform("linux", "amd64"), Platform("linux", "arm64")),
                schedule="0 3 * * *",
                timezone="Asia/Shanghai",
                origin=Origin.FILE,
            ),
        ),
    )


def test_an_empty_file_changes_no_default(file: Path) -> None:
    file.touch()

    assert load_config(file, {}) == Config(path=file)


def test_a_registry_may_be_reached_in_a_special_way(file: Path) -> None:
    file.write_text(
        """
        [registries."Index.Docker.io"]
        endpoint = "registry.internal:8443"
        insecure = true
        plain_http = false
        proxy = "http://me:s3cret@proxy:3128"
        requests_per_second = 2.5
        longest_wait = "5m"
        allowed_networks = ["10.0.0.0/8"]
        timeouts = { connect = "500ms", closing = "1h" }
        """
    )

    entry = load_config(file, {}).registries["docker.io"]

    assert entry == RegistryEntry(
        RegistrySettings(
            "docker.io",
            endpoint="registry.internal:8443",
            plain_http=False,
            tls=Tls(verify=False),
            proxy="http://me:s3cret@proxy:3128",
            requests_per_second=2.5,
            longest_wait=timedelta(minutes=5),
            allowed_networks=("10.0.0.0/8",),
            timeouts=Timeouts(connect=0.5, closing=3600),
        )
    )


def test_without_any_file_the_defaults_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert load_config(None, {}) == Config()


def test_the_file_is_that_of_the_option_else_the_environment_else_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, concurrency in (("config.toml", 1), ("by-variable.toml", 2), ("by-option.toml", 3)):
        Path(name).write_text(f"[service]\nconcurrency = {concurrency}\n")
    variable = {"REPLICATOR_CONFIG": "by-variable.toml"}

    found = [
        load_config(path, environment).service.concurrency
        for path, environment in (
            (None, {}),
            (None, {"REPLICATOR_CONFIG": ""}),
            (None, variable),
            (Path("by-option.toml"), variable),
        )
    ]

    assert found == [1, 1, 2, 3]


def test_the_database_is_that_of_the_option_else_the_environment_else_the_file(
    file: Path, tmp_path: Path
) -> None:
    file.write_text('[service]\ndatabase = "sqlite:///in-file.db"\nconcurrency = 7\n')
    variable = {"REPLICATOR_DATABASE": "postgresql://me@host/by-variable"}

    found = [
        load_config(file, environment, database=option).service
        for environment, option in (
            ({}, None),
            ({"REPLICATOR_DATABASE": ""}, None),
            (variable, None),
            (variable, "sqlite:///by-option.db"),
        )
    ]

    assert [each.database for each in found] == [
        f"sqlite:///{tmp_path}/in-file.db",
        f"sqlite:///{tmp_path}/in-file.db",
        "postgresql://me@host/by-variable",
        "sqlite:///by-option.db",
    ]
    assert {each.concurrency for each in found} == {7}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("sqlite:///below.db?timeout=3", "sqlite:///FOLDER/below.db?timeout=3"),
        ("sqlite:////var/lib/there.db", "sqlite:////var/lib/there.db"),
        ("postgres://me:secret@host:5433/db", "postgres://me:secret@host:5433/db"),
    ],
)
def test_a_relative_database_starts_from_the_files_folder(
    file: Path, tmp_path: Path, written: str, read: str
) -> None:
    file.write_text(f'[service]\ndatabase = "{written}"\n')

    expected = read.replace("FOLDER", str(tmp_path))
    assert load_config(file, {}).service.database == expected


def test_a_file_with_a_byte_order_mark_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[service]\nconcurrency = 7\n")

    assert load_config(file, {}).service.concurrency == 7


def test_secrets_are_not_shown_by_accident(file: Path) -> None:
    file.write_text(
        '[registries."docker.io"]\ncredential = { username = "me", password = "s3cret" }\n'
    )

    config = load_config(file, {})

    assert "s3cret" not in repr(config)


def test_an_entry_for_a_path_is_another_login_of_its_host(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        """
        [registries."quay.io/team"]
        credential = { username = "team+robot", password = "first" }

        [registries."quay.io"]
        max_concurrency = 4
        credential = { username = "acme", password = "second" }
        """
    )

    (entry,) = load_config(file, {}).registries.values()

    assert (entry.settings.name, entry.settings.max_concurrency) == ("quay.io", 4)
    assert entry.settings.logins == ("team",)
    assert entry.logins == {"team": CredentialSource("team+robot", password="first")}
    assert entry.credential == CredentialSource("acme", password="second")
