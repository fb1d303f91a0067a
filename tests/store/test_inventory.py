"""The inventory: memory and ledger agree, whatever happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import pytest

from replicator.errors import StoreError
from replicator.oci.descriptor import Descriptor
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName
from replicator.store.database import Database
from replicator.store.inventory import LedgerInventory
from replicator.store.ledger import Ledger
from tests.store.values import ALPINE, DEBIAN, NOON, blob

LAYER = blob(b"layer")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def open_inventory(database: Database) -> LedgerInventory:
    return LedgerInventory(Ledger(database), lambda: NOON, trusted_for=DAY)


async def holders_of(inventory: LedgerInventory, of: Descriptor) -> Collection[str]:
    return (await inventory.holders(ALPINE.registry, [of.digest]))[of.digest]


async def test_what_was_noted_is_known_at_once_and_to_the_next_process(
    database: Database,
) -> None:
    inventory = open_inventory(database)
    inventory.note(ALPINE, LAYER)

    assert await holders_of(inventory, LAYER) == {ALPINE.path}
    await inventory.flush()
    assert await holders_of(open_inventory(database), LAYER) == {ALPINE.path}


async def test_what_the_ledger_knows_is_joined_by_what_is_noted(database: Database) -> None:
    await Ledger(database).record((), [(ALPINE, LAYER)], at=NOON)
    inventory = open_inventory(database)

    inventory.note(DEBIAN, LAYER)

    assert await holders_of(inventory, LAYER) == {ALPINE.path, DEBIAN.path}


async def test_what_was_forgotten_is_gone_at_once_and_for_the_next_process(
    database: Database,
) -> None:
    await Ledger(database).record((), [(ALPINE, LAYER)], at=NOON)
    inventory = open_inventory(database)

    inventory.forget(ALPINE, LAYER.digest)

    assert await holders_of(inventory, LAYER) == set()
    await inventory.flush()
    assert await holders_of(open_inventory(database), LAYER) == set()


async def test_a_blob_that_is_forgotten_and_sent_again_is_there(database: Database) -> None:
    inventory = open_inventory(database)
    inventory.note(ALPINE, LAYER)
    await inventory.flush()
    inventory.forget(ALPINE, LAYER.digest)
    inventory.note(ALPINE, LAYER)

    assert await holders_of(inventory, LAYER) == {ALPINE.path}
    await inventory.flush()
    assert await holders_of(open_inventory(database), LAYER) == {ALPINE.path}


async def test_many_notes_are_written_when_the_next_question_is_asked(
    database: Database,
) -> None:
    inventory = open_inventory(database)
    blobs = [blob(b"%d" % number) for number in range(500)]
    for each in blobs:
        inventory.note(ALPINE, each)

    await inventory.holders(ALPINE.registry, [])

    found = await Ledger(database).holders(
        ALPINE.registry, [each.digest for each in blobs], since=NOON
    )
    assert set(found.values()) == {frozenset({ALPINE.path})}


async def test_each_digest_is_looked_up_once(database: Database) -> None:
    asked: list[Digest] = []

    class CountingLedger(Ledger):
        async def holders(
            self, registry: str, digests: Collection[Digest], *, since: datetime
        ) -> dict[Digest, frozenset[str]]:
            asked.extend(digests)
            return await super().holders(registry, digests, since=since)

    inventory = LedgerInventory(CountingLedger(database), lambda: NOON, trusted_for=DAY)
    other = blob(b"other")
    await inventory.holders(ALPINE.registry, [LAYER.digest])
    await inventory.holders(ALPINE.registry, [LAYER.digest, other.digest])
    await inventory.holders(ALPINE.registry, [other.digest])

    assert asked == [LAYER.digest, other.digest]


async def test_what_could_not_be_written_is_written_the_next_time(database: Database) -> None:
    class FailingLedger(Ledger):
        works = False

        async def forget_blobs(self, blobs: Collection[tuple[RepositoryName, Digest]]) -> None:
            if not self.works:
                raise StoreError("the database is away")
            await super().forget_blobs(blobs)

    ledger = FailingLedger(database)
    await ledger.record((), [(DEBIAN, LAYER)], at=NOON)
    inventory = LedgerInventory(ledger, lambda: NOON, trusted_for=DAY)
    inventory.note(ALPINE, LAYER)
    inventory.forget(DEBIAN, LAYER.digest)
    with pytest.raises(StoreError):
        await inventory.flush()

    ledger.works = True
    await inventory.flush()

    assert await holders_of(open_inventory(database), LAYER) == {ALPINE.path}


async def test_whoever_asked_together_with_one_who_failed_asks_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(database)
    await ledger.record((), [(ALPINE, LAYER)], at=NOON)
    inventory = LedgerInventory(ledger, lambda: NOON, trusted_for=DAY)
    look_up = ledger.holders
    failures = [StoreError("the database is locked")]

    async def fail_once(*question: Any, **limits: Any) -> dict[Digest, frozenset[str]]:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return await look_up(*question, **limits)

    monkeypatch.setattr(ledger, "holders", fail_once)

    first, second = await asyncio.gather(
        holders_of(inventory, blob(b"other")), holders_of(inventory, LAYER), return_exceptions=True
    )

    assert isinstance(first, StoreError)
    assert second == {ALPINE.path}


async def test_a_blob_that_nobody_has_seen_for_long_is_not_known_any_more(
    database: Database,
) -> None:
    await Ledger(database).record((), [(ALPINE, LAYER)], at=NOON - DAY)
    await Ledger(database).record((), [(DEBIAN, LAYER)], at=NOON - DAY - HOUR)

    assert await holders_of(open_inventory(database), LAYER) == {ALPINE.path}


async def test_a_process_that_lives_long_looks_again_and_loses_nothing(
    database: Database,
) -> None:
    now = NOON
    inventory = LedgerInventory(Ledger(database), lambda: now, trusted_for=DAY)
    inventory.note(ALPINE, LAYER)
    assert await holders_of(inventory, LAYER) == {ALPINE.path}
    await Ledger(database).record((), [(DEBIAN, LAYER)], at=NOON)

    now = NOON + 2 * HOUR

    assert await holders_of(inventory, LAYER) == {ALPINE.path, DEBIAN.path}
    now = NOON + 2 * DAY
    assert await holders_of(inventory, LAYER) == set()
