"""The fakes, each as its users have it: a login, one that may only read, and how it is set up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

from replicator.embedded.memory import MemoryStorage
from replicator.embedded.server import EmbeddedRegistry
from replicator.registry.settings import Create
from tests.contract.place import ALICE, READER, Place
from tests.fakes.aliyun import FakeAliyun
from tests.fakes.artifactory import FakeArtifactory
from tests.fakes.azure import FakeAzure
from tests.fakes.dockerhub import FakeHub
from tests.fakes.ecr import FakeEcr, FakePublicEcr
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.google import FakeGoogle, GoogleTokens
from tests.fakes.harbor import FakeHarbor
from tests.fakes.msr import FakeMsr
from tests.fakes.nexus import FakeNexus
from tests.fakes.quay import FakeQuay
from tests.fakes.zot import FakeZot

PASSWORDS = {each.username: each.password for each in (ALICE, READER)}
READERS = (READER.username,)
# The first part of all paths: namespace, project, organisation or key.
OWNER = "alice"


class Fake(Protocol):
    registry: EmbeddedRegistry
    storage: MemoryStorage


Start: TypeAlias = Callable[[EmbeddedRegistry], Awaitable[object]]


def google() -> Fake:
    tokens = GoogleTokens(PASSWORDS, realm="/v2/token", private=[OWNER])
    tokens.readers.update(READERS)
    return FakeGoogle(tokens)


def quay() -> Fake:
    fake = FakeQuay(PASSWORDS, organisations=(OWNER,))
    fake.tokens.creators = {ALICE.username}
    fake.tokens.readers.update(READERS)
    return fake


def with_readers(fake: Any) -> Any:
    fake.tokens.readers.update(READERS)
    return fake


def harbor() -> Fake:
    fake: Fake = with_readers(FakeHarbor(PASSWORDS, projects=(), private=(OWNER,)))
    fake.cannot_create.update(READERS)
    return fake


def msr() -> Fake:
    fake: Fake = with_readers(FakeMsr(PASSWORDS, namespaces=(OWNER,)))
    fake.users.readers.update(READERS)
    return fake


def clock() -> float:
    """The time at which the clients of tests begin, which signatures have to agree with."""
    return 1000.0


FAKES: Mapping[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "acr": (lambda: with_readers(FakeAzure(PASSWORDS)), {"kind": "acr"}),
    "aliyun": (lambda: with_readers(FakeAliyun(PASSWORDS, private=(OWNER,))), {}),
    "artifactory": (
        lambda: FakeArtifactory(PASSWORDS, keys=(OWNER,), readers=READERS),
        {"kind": "artifactory"},
    ),
    "dockerhub": (
        lambda: with_readers(FakeHub(PASSWORDS, private=(OWNER,))),
        {"kind": "dockerhub"},
    ),
    "ecr": (lambda: FakeEcr(clock=clock), {"create": Create.IF_MISSING}),
    "ecr public": (
        lambda: FakePublicEcr(alias=OWNER, clock=clock),
        {"create": Create.IF_MISSING},
    ),
    "ghcr": (
        lambda: with_readers(FakeGitHub(PASSWORDS, users=(OWNER,))),
        {"kind": "ghcr"},
    ),
    "gitlab": (lambda: with_readers(FakeGitLab(PASSWORDS, groups=(OWNER,))), {"kind": "gitlab"}),
    "google": (google, {"kind": "google"}),
    "harbor": (harbor, {"kind": "harbor", "create": Create.IF_MISSING}),
    "msr": (msr, {"kind": "msr", "create": Create.IF_MISSING}),
    "nexus": (lambda: FakeNexus(PASSWORDS, readers=READERS), {"kind": "nexus"}),
    "quay": (quay, {"kind": "quay"}),
    "zot": (lambda: FakeZot(PASSWORDS, readers=READERS), {"kind": "zot"}),
}


async def open_fake(kind: str, start: Start) -> Place:
    """Start the fake of *kind*."""
    make, settings = FAKES[kind]
    fake = make()
    for server in _servers(fake):
        await start(server)
    if hasattr(fake, "site"):
        settings = {**fake.settings(), **settings}
    # Amazon's logins are made by its API and not chosen, and its host tells where that is.
    is_amazons = isinstance(fake, FakeEcr | FakePublicEcr)
    return Place(
        f"{kind} (fake)",
        fake.host if is_amazons else fake.registry.host,
        login=fake.login() if is_amazons else ALICE,
        reader=fake.reader() if is_amazons else READER,
        settings=settings,
        takes_docker=kind != "zot",
        lists_tags=kind != "aliyun",
    )


def _servers(fake: Any) -> tuple[EmbeddedRegistry, ...]:
    """Return all servers that play their part."""
    if hasattr(fake, "servers"):
        return tuple(fake.servers)
    return (fake.registry, fake.site) if hasattr(fake, "site") else (fake.registry,)
