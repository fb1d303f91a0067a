"""What is asked at the same time is answered in one go."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import StoreError
from replicator.transfer import gathering as gathering_module
from replicator.transfer.gathering import Gathering


class Oracle:
    """Doubles numbers, and remembers which it was asked about together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.asked = asyncio.Event()
        self.errors: list[Exception] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def answer(self, questions):
        self.batches.append(list(questions))
        self.asked.set()
        await self.may_answer.wait()
        if self.errors:
            raise self.errors.pop()
        return [2 * question for question in questions]


async def test_questions_of_one_moment_go_together_and_each_gets_its_answer():
    oracle = Oracle()
    gathering = Gathering(oracle.answer)

    answers = await asyncio.gather(*map(gathering.ask, range(5)))

    assert answers == [0, 2, 4, 6, 8]
    assert oracle.batches == [[0, 1, 2, 3, 4]]


async def test_what_is_asked_while_others_are_answered_goes_into_the_next_batch():
    oracle = Oracle()
    oracle.may_answer.clear()
    gathering = Gathering(oracle.answer)
    first = asyncio.create_task(gathering.ask(1))
    await oracle.asked.wait()

    others = [asyncio.create_task(gathering.ask(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    oracle.may_answer.set()

    assert await asyncio.gather(first, *others) == [2, 4, 6]
    assert oracle.batches == [[1], [2, 3]]


async def test_an_error_is_raised_once_and_the_other_questions_are_asked_again():
    oracle = Oracle()
    oracle.errors = [StoreError("locked")]
    gathering = Gathering(oracle.answer)

    answers = await asyncio.gather(*map(gathering.ask, (1, 2, 3)), return_exceptions=True)

    assert isinstance(answers[0], StoreError)
    assert answers[1:] == [4, 6]


async def test_when_nothing_can_be_answered_nobody_waits_for_the_failures_of_others():
    all_asked = asyncio.Barrier(3)

    async def answer(questions):
        if len(questions) < 4:
            # The three that are left fail only when each of them is being asked.
            async with asyncio.timeout(5):
                await all_asked.wait()
        raise StoreError("away")

    gathering = Gathering(answer)

    answers = await asyncio.gather(*map(gathering.ask, range(4)), return_exceptions=True)

    assert [str(error) for error in answers] == ["away"] * 4


async def test_a_question_cancelled_while_it_waits_is_not_asked():
    oracle = Oracle()
    gathering = Gathering(oracle.answer)
    first, second = (asyncio.create_task(gathering.ask(number)) for number in (1, 2))
    await asyncio.sleep(0)
    first.cancel()

    assert await second == 4
    with pytest.raises(asyncio.CancelledError):
        await first
    assert oracle.batches == [[2]]


async def test_a_question_cancelled_while_it_is_answered_costs_the_others_nothing():
    oracle = Oracle()
    oracle.may_answer.clear()
    gathering = Gathering(oracle.answer)
    first, second = (asyncio.create_task(gathering.ask(number)) for number in (1, 2))
    await oracle.asked.wait()
    first.cancel()
    oracle.may_answer.set()

    assert await second == 4
    assert await gathering.ask(3) == 6


async def test_what_follows_a_batch_closely_waits_for_company(monkeypatch):
    monkeypatch.setattr(gathering_module, "_DISTANCE", 0.5)
    oracle = Oracle()
    gathering = Gathering(oracle.answer)
    await gathering.ask(1)

    second = asyncio.create_task(gathering.ask(2))
    for _ in range(10):
        await asyncio.sleep(0)
    third = asyncio.create_task(gathering.ask(3))

    assert await asyncio.gather(second, third) == [4, 6]
    assert oracle.batches == [[1], [2, 3]]
