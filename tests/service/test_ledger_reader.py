"""Questions to the ledger that go together."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import StoreError
from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.observation import Published
from replicator.service.looking.ledger_reader import LedgerReader
from tests.service.fakes import START, FakeLedger


def name(number: int) -> RepositoryName:
    return RepositoryName("a.io", f"app{number}")


def ledger_of(number: int) -> FakeLedger:
    ledger = FakeLedger()
    for n in range(number):
        for tag in map(Tag, ("1", "2")):
            digest = Digest.of(f"{n}{tag}".encode())
            ledger.rows[name(n), tag] = Published(
                name(n), tag, "source", digest, digest, "rule", START, START
            )
    return ledger


async def test_many_repositories_are_asked_about_in_a_few_questions():
    ledger = ledger_of(500)
    reader = LedgerReader(ledger)

    answers = await asyncio.gather(
        *(reader.published(name(n), [Tag("1"), Tag("3")]) for n in range(500))
    )

    assert all(list(answer) == ["1"] for answer in answers)
    assert [answer[Tag("1")].destination for answer in answers] == list(map(name, range(500)))
    assert ledger.questions <= 2


async def test_a_question_that_fails_does_not_cost_the_others_their_answers():
    ledger = ledger_of(3)
    reader = LedgerReader(ledger)
    working = ledger.published_tags

    async def fail_once(wanted):
        ledger.published_tags = working
        await asyncio.sleep(0)
        raise StoreError("locked")

    ledger.published_tags = fail_once
    answers = await asyncio.gather(
        *(reader.published(name(n), [Tag("1")]) for n in range(3)), return_exceptions=True
    )

    assert isinstance(answers[0], StoreError)
    assert [list(answer) for answer in answers[1:]] == [["1"], ["1"]]


async def test_a_question_that_is_cancelled_does_not_cost_the_others_their_answers():
    reader = LedgerReader(ledger_of(3))
    first, second = (asyncio.create_task(reader.published(name(n), [Tag("2")])) for n in range(2))
    await asyncio.sleep(0)
    first.cancel()

    assert list(await second) == ["2"]
    with pytest.raises(asyncio.CancelledError):
        await first
