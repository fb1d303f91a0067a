"""Copies between registries that ask for a login or a certificate, and from a proxy."""

from __future__ import annotations

import pytest

from tests.support.builders import push_image, push_index
from tests.support.contents import contents
from tests.support.plain_repository import PlainRepository
from tests.support.skopeo import read_back


@pytest.fixture
def configure(replicate, tokens):
    """Writes what a user would say about each registry: its login and its certificate."""

    def entry(server):
        address = server.address
        yield f'[registries."{address.host}"]'
        if address.ca_file:
            yield f'ca_file = "{address.ca_file}"'
        if address.credentials:
            name, password = address.credentials
            yield f'credential = {{ username = "{name}", password = "{password}" }}'
            yield f'token_origins = ["{tokens.address.url}"]'

    def configure(*servers):
        replicate.write_config("\n".join(line for server in servers for line in entry(server)))

    return configure


PROTECTED = ["htpasswd_registry", "token_registry", "tls_registry"]


@pytest.mark.parametrize("source_name", PROTECTED)
@pytest.mark.parametrize("destination_name", PROTECTED)
async def test_a_copy_goes_through_logins_and_certificates(
    replicate, configure, request, repository_path, source_name, destination_name
):
    source = request.getfixturevalue(source_name)
    destination = request.getfixturevalue(destination_name)
    configure(*{source.host: source, destination.host: destination}.values())
    path, mirror = f"{repository_path}/app", f"{repository_path}/mirror/app"
    with PlainRepository(source.address, path) as repository:
        push_index(repository, "1", seed=f"{path}-{source_name}-{destination_name}")
        pushed = contents(repository, "1")

    done = await replicate("copy", f"{source.host}/{path}:1", f"{destination.host}/{mirror}:1")

    assert done.code == 0, done.err
    assert read_back(destination.address, mirror, "1") == pushed


async def test_a_pull_through_proxy_is_a_source(
    replicate, pull_through, distribution2, distribution3, repository_path
):
    with PlainRepository(distribution2.address, repository_path) as repository:
        push_image(repository, "1", seed=repository_path, layers=3)
        pushed = contents(repository, "1")

    done = await replicate(
        "copy",
        f"{pull_through.host}/{repository_path}:1",
        f"{distribution3.host}/{repository_path}/mirror:1",
    )

    assert done.code == 0, done.err
    assert read_back(distribution3.address, f"{repository_path}/mirror", "1") == pushed
