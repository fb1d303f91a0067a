"""The registries that the pages' commands are run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.stage import PASSWORD, Stage
from tests.support.address import Credentials
from tests.support.builders import push_image, push_index, push_signature
from tests.support.plain_repository import PlainRepository
from tests.support.postgres import Postgres
from tests.support.servers import Server, distribution

# Repositories and tags that the pages name at registries which they read.
_INDEXES = {
    "library/alpine": ("3.18.0", "3.19.1", "3.20.0", "3.20", "latest"),
    "acme/app": ("v1.0.0", "v1.1.0", "v2.0.0-rc.1"),
}
_IMAGES = {
    "library/debian": ("12", "bookworm"),
    "library/redis": ("7.4.1", "8.0.0"),
}


@pytest.fixture(scope="session")
def filled_source(distribution2: Server) -> Server:
    """A registry that has what the pages copy."""
    for path, tags in _INDEXES.items():
        with PlainRepository(distribution2.address, path) as repository:
            for tag in tags:
                index = push_index(repository, tag, seed=tag, platforms=_PLATFORMS)
            push_signature(repository, index)
    for path, tags in _IMAGES.items():
        with PlainRepository(distribution2.address, path) as repository:
            for tag in tags:
                push_image(repository, tag, seed=tag)
    return distribution2


_PLATFORMS = ("linux/amd64", "linux/arm64")


@pytest.fixture
def empty_destination() -> Iterator[Server]:
    """A registry that asks for a login, as most that are written to do."""
    with distribution(3, credentials=Credentials("mirror", PASSWORD)) as server:
        yield server


@pytest.fixture
def stage(
    filled_source: Server, empty_destination: Server, postgres_server: Postgres, tmp_path: Path
) -> Stage:
    database = postgres_server.url(postgres_server.create_database())
    return Stage(tmp_path, filled_source.address, empty_destination.address, database)
