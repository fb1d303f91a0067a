"""Several logins at one registry, each for what is below a path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.errors import RegistryError
from replicator.oci.reference import Tag
from replicator.registry.client import open_registry
from replicator.registry.keychain import ConfiguredKeychain
from replicator.registry.logins_by_path import login_for
from replicator.registry.settings import Create, CredentialSource, RegistrySettings
from tests.fakes.harbor import FakeHarbor
from tests.fakes.quay import FakeQuay
from tests.registry.test_repository import push_image
from tests.support.embedded import store_image

ROBOTS = {"one+robot": "first", "two+robot": "second"}


@pytest.fixture
async def quay():
    """Two private organisations, each with a robot that knows the other's repositories not."""
    quay = FakeQuay(dict(ROBOTS), organisations=("one", "two"), private=("one", "two"))
    granted = quay.tokens.granted

    def own(user, access):
        mine = user.partition("+")[0] == access.name.partition("/")[0]
        return granted(user, access) if mine else frozenset()

    quay.tokens.granted = own
    async with quay.registry:
        for organisation in ("one", "two"):
            store_image(quay.storage, f"{organisation}/app", "v1", seed=organisation)
        yield quay


def keys(host, names=("one", "two")):
    sources = {
        f"{host}/{name}": CredentialSource(f"{name}+robot", password=ROBOTS[f"{name}+robot"])
        for name in names
    }
    return ConfiguredKeychain(sources, {})


@pytest.fixture
async def registry(quay):
    host = quay.registry.host
    settings = RegistrySettings(host, kind="quay", logins=("one", "two"))
    registry = open_registry(settings, keychain=keys(host))
    yield registry
    await registry.aclose()


async def test_each_organisation_is_read_with_its_own_robot(quay, registry):
    for name in ("one", "two", "one", "two"):
        await registry.repository(f"{name}/app").resolve(Tag("v1"))

    assert quay.registry.requests.count("GET", "/v2/auth") == 2


async def test_each_is_written_to_with_its_own_robot(quay, registry):
    for name in ("one", "two"):
        image = await push_image(registry.repository(f"{name}/app"), tag=Tag("v2"))
        assert quay.storage.resolve(f"{name}/app", "v2") == image.digest


async def test_what_is_below_no_path_has_the_login_of_the_registry_or_none(quay, registry):
    quay.tokens.organisations.add("public")
    store_image(quay.storage, "public/app", "v1")
    quay.tokens.granted = lambda user, access: frozenset() if user else frozenset({"pull"})

    await registry.repository("public/app").resolve(Tag("v1"))


async def test_a_name_that_only_begins_alike_has_another_login(quay, registry):
    quay.tokens.organisations.add("one-more")
    quay.tokens.private.add("one-more")
    store_image(quay.storage, "one-more/app", "v1")

    with pytest.raises(RegistryError):
        await registry.repository("one-more/app").resolve(Tag("v1"))


async def test_the_vendors_own_api_gets_the_same_login():
    harbor = FakeHarbor({"robot$one": "first"}, projects=("one",), private=("one",))
    async with harbor.registry:
        store_image(harbor.storage, "one/app", "v1")
        host = harbor.registry.host
        registry = open_registry(
            RegistrySettings(host, kind="harbor", logins=("one",), create=Create.IF_MISSING),
            keychain=ConfiguredKeychain(
                {f"{host}/one": CredentialSource("robot$one", password="first")}, {}
            ),
        )

        pages = [page async for page in registry.repository("one/app").observe_tags()]

        assert pages[0][0].digest == harbor.storage.resolve("one/app", "v1")
        assert harbor.registry.requests.count("GET", "/tags/list") == 0
        await registry.aclose()


paths = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4).map("/".join)


@given(path=paths, prefixes=st.sets(paths))
def test_the_longest_path_that_it_is_below_decides(path, prefixes):
    found = login_for(path, prefixes)

    above = {"/".join(path.split("/")[:count]) for count in range(1, path.count("/") + 2)}
    assert found == max(above & prefixes, key=len, default="")
