"""What is remembered of checks of registries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from replicator.registry.facts import Facts
from replicator.store.registry_facts import KeptFacts, RegistryFacts

THEN = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOST = "registry.example.com"


async def test_facts_come_back_with_their_date(database):
    book = RegistryFacts(database)
    facts = Facts("zot", auth="Basic", paged=True, chunked=False)

    await book.keep(HOST, facts, THEN)

    assert await book.all() == {HOST: KeptFacts(facts, THEN)}


async def test_a_later_check_adds_to_what_an_earlier_one_showed(database):
    book = RegistryFacts(database)
    await book.keep(HOST, Facts("zot", chunked=True, paged=False), THEN)

    await book.keep(HOST, Facts("zot", paged=True), THEN + timedelta(days=1))

    kept = (await book.all())[HOST]
    assert kept == KeptFacts(Facts("zot", chunked=True, paged=True), THEN + timedelta(days=1))


async def test_what_is_a_month_old_is_shown_and_not_believed(database):
    book = RegistryFacts(database)
    await book.keep(HOST, Facts("zot"), THEN)

    assert set(await book.believed(THEN + timedelta(days=29))) == {HOST}
    assert await book.believed(THEN + timedelta(days=31)) == {}
    assert set(await book.all()) == {HOST}
