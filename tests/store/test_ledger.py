"""The ledger: what is remembered is what was recorded, and never goes back."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta, timezone
from itertools import permutations

import pytest

from replicator.errors import StoreError
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.store.database import Database
from replicator.store.ledger import Ledger
from tests.store.values import ALPINE, DEBIAN, HOUR, NOON, blob, published


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


async def test_what_was_recorded_is_read_back(ledger: Ledger) -> None:
    whole = published("3.20", referrers_at=NOON + HOUR)
    pruned = published("3.19", source_digest=Digest.of(b"an index with more platforms"))

    await ledger.record([whole, pruned], (), at=NOON)

    assert await ledger.published(ALPINE) == {Tag("3.20"): whole, Tag("3.19"): pruned}


async def test_no_field_of_a_row_is_lost(ledger: Ledger) -> None:
    row = published(
        source_digest=Digest.of(b"source"),
        referrers_at=NOON + HOUR,
        confirmed_at=NOON + 2 * HOUR,
        scope="linux/amd64",
        sequence=2**40,
    )
    defaults = {each.name for each in fields(row) if getattr(row, each.name) == each.default}

    await ledger.record([row], (), at=NOON)

    assert await ledger.published(ALPINE) == {row.tag: row}
    assert not defaults, "the row has to say something in each field"


async def test_a_repository_without_rows_has_no_tags(ledger: Ledger) -> None:
    assert await ledger.published(ALPINE) == {}


async def test_wanted_tags_of_many_repositories_and_registries_are_read_at_once(
    ledger: Ledger,
) -> None:
    names = [RepositoryName(host, f"r{n}") for host in ("a.io", "b.io") for n in range(600)]
    rows = [published(tag, destination=name) for name in names[::2] for tag in ("1", "2", "3")]
    await ledger.record(rows, (), at=NOON)

    found = await ledger.published_tags({name: [Tag("1"), Tag("3"), Tag("4")] for name in names})

    assert found == {(row.destination, row.tag): row for row in rows if row.tag != "2"}


async def test_tags_with_odd_names_are_found(ledger: Ledger) -> None:
    layout = RepositoryName("oci:", 'folder/with "quotes", 100% ünusual/\'\\{}')
    row = published("_.-", destination=layout)
    await ledger.record([row], (), at=NOON)

    assert await ledger.published_tags({layout: [row.tag]}) == {(layout, row.tag): row}
    assert await ledger.published(layout) == {row.tag: row}


async def test_wanting_nothing_finds_nothing(ledger: Ledger) -> None:
    await ledger.record([published()], (), at=NOON)

    assert await ledger.published_tags({}) == {}
    assert await ledger.published_tags({ALPINE: []}) == {}


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
async def test_in_whatever_order_observations_arrive_the_newest_stays(
    ledger: Ledger, order: tuple[int, ...]
) -> None:
    by_sequence = {n: published(content=b"%d" % n, sequence=n) for n in order}

    for sequence in order:
        await ledger.record([by_sequence[sequence]], (), at=NOON)

    assert await ledger.published(ALPINE) == {Tag("3.20"): by_sequence[3]}


async def test_a_run_may_correct_what_it_recorded_itself(ledger: Ledger) -> None:
    await ledger.record([published(content=b"first", sequence=7)], (), at=NOON)
    second = published(content=b"second", sequence=7)

    await ledger.record([second], (), at=NOON)

    assert await ledger.published(ALPINE) == {second.tag: second}


async def test_removed_tags_are_forgotten_and_others_stay(ledger: Ledger) -> None:
    gone, kept = published("gone"), published("kept")
    elsewhere = published("gone", destination=DEBIAN)
    await ledger.record([gone, kept, elsewhere], (), at=NOON)

    await ledger.remove_published(ALPINE, [gone.tag])

    assert await ledger.published(ALPINE) == {kept.tag: kept}
    assert await ledger.published(DEBIAN) == {gone.tag: elsewhere}


async def test_holders_are_all_repositories_of_that_registry_alone(ledger: Ledger) -> None:
    shared, lonely, unknown = blob(b"shared"), blob(b"lonely"), blob(b"unknown")
    elsewhere = RepositoryName("other.example.com", "hub/alpine")
    places = [(ALPINE, shared), (DEBIAN, shared), (ALPINE, lonely), (elsewhere, unknown)]
    await ledger.record((), places, at=NOON)

    digests = [shared.digest, lonely.digest, unknown.digest]
    found = await ledger.holders(ALPINE.registry, digests, since=NOON)

    assert found == {
        shared.digest: {ALPINE.path, DEBIAN.path},
        lonely.digest: {ALPINE.path},
        unknown.digest: set(),
    }


async def test_a_list_of_thousands_of_digests_is_answered_whole(ledger: Ledger) -> None:
    blobs = [blob(b"%d" % number) for number in range(2500)]
    await ledger.record((), [(ALPINE, each) for each in blobs], at=NOON)

    found = await ledger.holders(ALPINE.registry, [each.digest for each in blobs], since=NOON)

    assert set(found.values()) == {frozenset({ALPINE.path})}
    assert len(found) == 2500


async def test_a_forgotten_blob_has_one_holder_less(ledger: Ledger) -> None:
    shared = blob(b"shared")
    await ledger.record((), [(ALPINE, shared), (DEBIAN, shared)], at=NOON)

    await ledger.forget_blobs([(ALPINE, shared.digest)])

    found = await ledger.holders(ALPINE.registry, [shared.digest], since=NOON)
    assert found == {shared.digest: {DEBIAN.path}}


async def test_a_time_of_any_zone_comes_back_in_utc(ledger: Ledger) -> None:
    shanghai = timezone(timedelta(hours=8))
    row = published(published_at=NOON.astimezone(shanghai))

    await ledger.record([row], (), at=NOON)

    (found,) = (await ledger.published(ALPINE)).values()
    assert found.published_at == NOON
    assert found.published_at.utcoffset() == timedelta(0)


async def test_a_time_without_a_zone_is_refused_and_nothing_is_written(ledger: Ledger) -> None:
    rows = [published("1"), published("2", published_at=NOON.replace(tzinfo=None))]

    with pytest.raises(StoreError, match="has no zone"):
        await ledger.record(rows, (), at=NOON)

    assert await ledger.published(ALPINE) == {}


async def test_all_rows_of_a_rule_are_given_each_once_over_many_batches(database: Database) -> None:
    ledger = Ledger(database)
    rows = [
        published(f"{number:04}", destination=destination)
        for destination in (ALPINE, DEBIAN)
        for number in range(700)
    ]
    await ledger.record([*rows, published("other", rule="another")], (), at=NOON)

    batches = [batch async for batch in ledger.published_by("base-images")]

    found = [(row.destination, row.tag) for batch in batches for row in batch]
    assert found == [(row.destination, row.tag) for row in rows]
    assert [batch async for batch in ledger.published_by("nobody")] == []


async def test_what_a_repository_holds_is_forgotten_at_once(database: Database) -> None:
    ledger, layer = Ledger(database), blob(b"layer")
    await ledger.record((), [(ALPINE, layer), (DEBIAN, layer)], at=NOON)

    await ledger.forget_places([])
    await ledger.forget_places([ALPINE])

    holders = await ledger.holders(ALPINE.registry, [layer.digest], since=NOON)
    assert holders[layer.digest] == {DEBIAN.path}
