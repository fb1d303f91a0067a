"""What every vendor's registry can do, whatever its habits: an index goes in and comes out."""

from __future__ import annotations

import json

import pytest

from replicator.errors import Denied, LoginRefused, NotFound, Unauthorized
from replicator.oci.manifest import Manifest
from replicator.oci.media_types import OCI_INDEX
from replicator.oci.reference import Tag
from replicator.registry.settings import Create, Credentials
from tests.fakes.azure import FakeAzure
from tests.fakes.dockerhub import FakeHub
from tests.fakes.ecr import FakeEcr, FakePublicEcr
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.google import FakeGoogle, GoogleTokens
from tests.fakes.harbor import FakeHarbor
from tests.fakes.quay import FakeQuay
from tests.registry.clients import read
from tests.registry.test_repository import push_image
from tests.registry.vendor_apis.conftest import observed
from tests.support.embedded import descriptor_json

ALICE = Credentials("alice", "wonderland")
PASSWORDS = {"alice": "wonderland"}
PATH = "alice/app"


def google():
    return FakeGoogle(GoogleTokens(PASSWORDS, realm="/v2/token", private=["alice"]))


def quay():
    fake = FakeQuay(PASSWORDS, organisations=("alice",))  # its API is closed to passwords
    fake.tokens.creators = {"alice"}
    return fake


def clock():
    """The time at which the clients of tests begin, for what compares it."""
    return 1000.0


VENDORS = {
    "google": (google, {"kind": "google"}),
    "dockerhub": (lambda: FakeHub(PASSWORDS, private=("alice",)), {"kind": "dockerhub"}),
    "quay": (quay, {"kind": "quay"}),
    "harbor": (
        lambda: FakeHarbor(PASSWORDS, projects=("alice",), private=("alice",)),
        {"kind": "harbor"},
    ),
    "harbor without the project": (
        lambda: FakeHarbor(PASSWORDS, projects=(), private=("alice",)),
        {"kind": "harbor", "create": Create.IF_MISSING},
    ),
    "ecr": (lambda: FakeEcr(clock=clock), {"create": Create.IF_MISSING}),
    "ecr public": (
        lambda: FakePublicEcr(alias="alice", clock=clock),
        {"create": Create.IF_MISSING},
    ),
    "acr": (lambda: FakeAzure(PASSWORDS), {"kind": "acr"}),
    "ghcr": (lambda: FakeGitHub(PASSWORDS, users=("alice",)), {"kind": "ghcr"}),
    "gitlab": (lambda: FakeGitLab(PASSWORDS, groups=("alice",)), {"kind": "gitlab"}),
}


@pytest.fixture(params=sorted(VENDORS))
async def client(request, start, open_client):
    make, settings = VENDORS[request.param]
    fake = make()
    for server in getattr(fake, "servers", (fake.registry,)):
        await start(server)
    if hasattr(fake, "site"):
        if not hasattr(fake, "servers"):
            await start(fake.site)
        settings = {**fake.settings(), **settings}
    login = fake.login() if hasattr(fake, "login") else ALICE
    return open_client(getattr(fake, "host", fake.registry.host), login=login, **settings)


async def test_to_look_where_nothing_is_yet_does_not_make_a_good_login_a_refused_one(client):
    repository = client.registry.repository(PATH)

    with pytest.raises((NotFound, Unauthorized, Denied)) as caught:
        await repository.resolve(Tag("v1"))

    assert not isinstance(caught.value, LoginRefused)
    await push_image(repository, Tag("v1"))
    assert (await client.registry.repository(PATH).resolve(Tag("v1"))).digest


async def test_an_index_comes_out_as_it_went_in_and_is_listed_by_its_own_digest(client):
    repository = client.registry.repository(PATH)
    image = await push_image(repository, tag=None)
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor_json(image.descriptor)],
    }
    index = Manifest.parse(json.dumps(body).encode(), OCI_INDEX)

    await repository.put_manifest(index, Tag("v1"))

    reader = client.registry.repository(PATH)
    assert await observed(reader) in ({"v1": index.digest}, {"v1": None})
    assert (await reader.resolve(Tag("v1"))).digest == index.digest
    assert (await reader.get_manifest(index.digest)).content == index.content
    child = await reader.get_manifest(image.digest)
    async with reader.read_blob(child.layers[0]) as pieces:
        assert len(await read(pieces)) == child.layers[0].size
    assert client.heard.warnings == []
