"""Clients that nobody here wrote push to the embedded registry and read from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from replicator.embedded.guard import BasicAuth
from replicator.embedded.passwords import PlainPasswords
from replicator.embedded.server import EmbeddedRegistry
from replicator.embedded.thread import in_thread
from replicator.embedded.token_auth import TokenAuth
from tests.support.embedded import store_artifact, store_image, store_index
from tests.support.tools import built, installed

_PASSWORDS = PlainPasswords({"alice": "wonderland"})


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment or None
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def everything(registry: EmbeddedRegistry, repository: str) -> dict[str, str]:
    storage = registry.storage
    return {tag: str(storage.resolve(repository, tag)) for tag in storage.tags(repository)}


@pytest.mark.parametrize("auth", [None, BasicAuth(_PASSWORDS), TokenAuth(_PASSWORDS)])
def test_skopeo_copies_an_index_out_and_in(storage, auth, tmp_path: Path):
    index = store_index(storage, "team/app", "v1")
    login = ["--no-creds"] if auth is None else ["--creds=alice:wonderland"]
    from_login, to_login = [f"--src-{o[2:]}" for o in login], [f"--dest-{o[2:]}" for o in login]
    copy = [installed("skopeo"), "--insecure-policy", "copy", "--all", "--preserve-digests"]
    layout = f"oci:{tmp_path / 'layout'}:v1"

    with in_thread(EmbeddedRegistry(storage, auth=auth)) as registry:
        remote = f"docker://{registry.host}"
        run(*copy, "--src-tls-verify=false", *from_login, f"{remote}/team/app:v1", layout)
        run(*copy, "--dest-tls-verify=false", *to_login, layout, f"{remote}/team/copy:v1")

    assert everything(registry, "team/copy") == {"v1": str(index.digest)}


def test_skopeo_copies_within_the_registry(storage):
    index = store_index(storage, "team/app", "v1", docker=True)

    with in_thread(EmbeddedRegistry(storage)) as registry:
        remote = f"docker://{registry.host}"
        run(
            installed("skopeo"),
            "--insecure-policy",
            "copy",
            "--all",
            "--preserve-digests",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            f"{remote}/team/app:v1",
            f"{remote}/team/copy:v1",
        )

    assert everything(registry, "team/copy") == {"v1": str(index.digest)}


def test_crane_copies_between_two_registries(storage):
    index = store_index(storage, "team/app", "v1")

    with in_thread(EmbeddedRegistry(storage)) as source, in_thread(EmbeddedRegistry()) as other:
        run(built("crane"), "copy", f"{source.host}/team/app:v1", f"{other.host}/mirror/app:v1")
        tags = run(built("crane"), "ls", f"{other.host}/mirror/app")
        run(built("crane"), "validate", "--remote", f"{other.host}/mirror/app:v1")

    assert tags.split() == ["v1"]
    assert everything(other, "mirror/app") == {"v1": str(index.digest)}


def test_crane_lists_all_pages_of_tags(storage):
    image = store_image(storage, "team/app")
    for number in range(2500):
        storage.put_tag("team/app", f"t{number}", image.digest)

    with in_thread(EmbeddedRegistry(storage)) as registry:
        tags = run(built("crane"), "ls", f"{registry.host}/team/app")

    assert len(set(tags.split())) == 2500
    assert registry.requests.count("GET", "/tags/list") == 3


def test_oras_finds_the_referrers(storage):
    image = store_image(storage, "team/app", "v1")
    signature = store_artifact(storage, "team/app", subject=image)

    with in_thread(EmbeddedRegistry(storage)) as registry:
        found = run(
            built("oras"),
            "discover",
            "--plain-http",
            "--format=json",
            f"{registry.host}/team/app:v1",
        )

    assert str(signature.digest) in found
    assert registry.requests.count("GET", "/referrers/", status=200) >= 1


def test_regctl_copies_with_referrers(storage, tmp_path: Path):
    image = store_image(storage, "team/app", "v1", layers=3)
    signature = store_artifact(storage, "team/app", subject=image)

    with in_thread(EmbeddedRegistry(storage)) as source, in_thread(EmbeddedRegistry()) as other:
        hosts = [f"--host=reg={registry.host},tls=disabled" for registry in (source, other)]
        names = f"{source.host}/team/app:v1", f"{other.host}/mirror/app:v1"
        run(built("regctl"), *hosts, "image", "copy", "--referrers", *names, HOME=str(tmp_path))

    assert other.storage.referrers("mirror/app", image.digest) == [signature.digest]
