"""Listings that several rules share."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import RegistryUnavailable
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.prepared import prepare
from replicator.registry.protocols import ListedTag
from replicator.service.looking.shared_sources import SharedSources
from tests.service.conftest import SOURCE, rule


class SlowRepository:
    """A repository whose second page comes when the test says so."""

    def __init__(self):
        self.name = RepositoryName.parse(SOURCE)
        self.listings = 0
        self.go_on = asyncio.Event()

    def repository(self, name):
        return self

    async def observe_tags(self, needed=None):
        self.listings += 1
        yield (ListedTag(Tag("1")),)
        await self.go_on.wait()
        yield (ListedTag(Tag("2")),)


def shared(repository, *rules):
    sources = SharedSources(repository, [prepare(each).source for each in rules])
    return [sources.repository(repository.name) for _ in rules]


async def tags_of(reader):
    return [tag async for page in reader.list_tags() for tag in page]


async def test_several_readers_get_all_pages_of_one_listing():
    repository = SlowRepository()
    one, other = shared(repository, rule("one"), rule("other"))
    reading = [asyncio.create_task(tags_of(reader)) for reader in (one, other)]

    repository.go_on.set()

    assert await asyncio.gather(*reading) == [["1", "2"]] * 2
    assert repository.listings == 1


async def test_a_repository_of_one_rule_is_not_kept():
    repository = SlowRepository()

    assert shared(repository, rule("one")) == [repository]


async def test_a_listing_whose_reader_is_cancelled_does_not_look_complete_to_the_others():
    repository = SlowRepository()
    one, other = shared(repository, rule("one"), rule("other"))
    first = asyncio.create_task(tags_of(one))
    await asyncio.sleep(0)
    second = asyncio.create_task(tags_of(other))
    await asyncio.sleep(0)

    first.cancel()

    with pytest.raises(RegistryUnavailable, match="was given up"):
        await second
    with pytest.raises(asyncio.CancelledError):
        await first
