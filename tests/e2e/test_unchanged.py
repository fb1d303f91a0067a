"""What a rule costs at each kind of source when it runs again and nothing has changed.

Counted at the source, where the name of a test's registry is a row of the table in
docs/registries.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.server import EmbeddedRegistry
from tests.e2e.test_vendors import TAGS, Stage, aws_entry, aws_variables, entry, stage, store_many
from tests.fakes.aliyun import FakeAliyun
from tests.fakes.artifactory import FakeArtifactory
from tests.fakes.azure import FakeAzure
from tests.fakes.dockerhub import FakeHub
from tests.fakes.ecr import HOST, FakeEcr
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.google import FakeGoogle
from tests.fakes.harbor import FakeHarbor
from tests.fakes.msr import FakeMsr
from tests.fakes.nexus import FakeNexus
from tests.fakes.quay import FakeQuay
from tests.fakes.zot import FakeZot
from tests.support.builders import push_many_tags
from tests.support.plain_repository import PlainRepository

__all__ = ["stage"]

USER, PASSWORD = "acme", "secret"
LOGIN = f'credential = {{ username = "{USER}", password = "{PASSWORD}" }}'
PATH = "acme/app"


@dataclass
class Source:
    """A fake with a thousand tags, the most requests that it may get, and what its entry says."""

    make: Callable[[], Any]
    most: int
    settings: dict[str, Any] = field(default_factory=dict)
    path: str = PATH


def users() -> dict[str, str]:
    return {USER: PASSWORD}


class Plain:
    """A registry of which nothing is known."""

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.registry = EmbeddedRegistry(self.storage)


def _msr() -> FakeMsr:
    fake = FakeMsr(users(), namespaces=(USER,))
    fake.created.add(PATH)
    return fake


SOURCES = {
    "google": Source(FakeGoogle, 2, {"kind": "google"}, "project/docker/app"),
    "dockerhub": Source(lambda: FakeHub(users()), 12),
    "quay": Source(lambda: FakeQuay(users(), organisations=(USER,)), 12, {"kind": "quay"}),
    "harbor": Source(lambda: FakeHarbor(users(), projects=(USER,)), 12, {"kind": "harbor"}),
    "ecr": Source(FakeEcr, 3),
    "acr": Source(lambda: FakeAzure(users()), 12, {"kind": "acr"}),
    "ghcr": Source(lambda: FakeGitHub(users()), 12),
    "zot": Source(lambda: FakeZot(users()), 12, {"kind": "zot"}),
    "gitlab": Source(lambda: FakeGitLab(users(), groups=(USER,)), 1050),
    "msr": Source(_msr, 1050, {"kind": "msr"}),
    "nexus": Source(lambda: FakeNexus(users()), 1050, {"kind": "nexus"}),
    "artifactory": Source(
        lambda: FakeArtifactory(users(), keys=(USER,)), 1050, {"kind": "artifactory"}
    ),
    "aliyun": Source(lambda: FakeAliyun(users()), 1050),
    "all others": Source(Plain, 1050),
}
# To log in: the ping that tells where tokens are, and those.
LOGGING_IN = re.compile(r"/v2/$|/token|/v2/auth|/jwt/auth|/oauth2/")


@pytest.mark.parametrize("kind", SOURCES)
async def test_a_thousand_unchanged_tags_cost_what_the_page_says(stage, note, kind):
    source = SOURCES[kind]
    fake = source.make()
    servers = _servers(fake)
    for server in servers:
        await stage.start(server)
    store_many(fake.storage, source.path)
    destination = await stage.start(EmbeddedRegistry(fake.storage))
    host, registries = _entry_of(stage, kind, fake, source)
    stage.write_rule(
        f"{host}/{source.path}", f"{destination.host}/{{repository}}", registries=registries
    )
    code, first = await stage.run()
    assert code == 0, first
    for server in (*servers, destination):
        server.requests.clear()

    code, second = await stage.run()

    assert (code, second["counts"]["skipped"]) == (0, TAGS)
    asked = [
        each for server in servers for each in server.requests if not LOGGING_IN.search(each.target)
    ]
    note(kind, len(asked), sum(len(server.requests) for server in servers) - len(asked))
    assert len(asked) <= source.most
    assert [each for each in destination.requests if each.target != "/v2/"] == []
    assert getattr(fake, "pulls", None) in (None, 100)


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["distribution2", "distribution3"])
async def test_a_real_registry_gets_no_more_than_a_plain_one(
    stage, note, kind, request, repository_path
):
    server = request.getfixturevalue(kind)
    with PlainRepository(server.address, repository_path) as repository:
        push_many_tags(repository, [f"v{n:04}" for n in range(TAGS)])
    destination = await stage.start()
    stage.write_rule(f"{server.host}/{repository_path}", f"{destination.host}/{{repository}}")
    await stage.run()
    since = server.mark()

    code, second = await stage.run()

    assert (code, second["counts"]["skipped"]) == (0, TAGS)
    asked = server.requests(since)
    note(server.kind, len(asked), 0)
    assert len(asked) <= 1050


def _servers(fake: Any) -> tuple[EmbeddedRegistry, ...]:
    if hasattr(fake, "servers"):
        return tuple(fake.servers)
    return (fake.registry, fake.site) if hasattr(fake, "site") else (fake.registry,)


def _entry_of(stage: Stage, kind: str, fake: Any, source: Source) -> tuple[str, str]:
    """Return the host of a fake as rules have it, and the entry that leads there."""
    if kind == "ecr":
        stage.variables |= aws_variables(fake)
        return HOST, aws_entry(fake)
    settings = {**(fake.settings() if hasattr(fake, "site") else {}), **source.settings}
    host = fake.registry.host
    if kind == "dockerhub":
        fake.pulls = 100
        host = "docker.io"
    table = entry(host, **settings)
    return host, table if kind in ("google", "all others") else f"{table}\n{LOGIN}"
