"""One at a time for a key, and no trace of those that are done."""

from __future__ import annotations

import asyncio

import pytest

from replicator.errors import RegistryUnavailable
from replicator.oci.reference import RepositoryName
from replicator.transfer.flights import Flights
from replicator.transfer.recent import Recent

HERE = RepositoryName("one.example", "team/app")
THERE = RepositoryName("two.example", "team/app")


async def test_they_have_their_turns_in_order():
    flights, inside, order = Flights[str](), 0, []

    async def take(number: int) -> None:
        nonlocal inside
        async with flights.take("blob"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            order.append(number)
            inside -= 1

    await asyncio.gather(*map(take, range(10)))

    assert order == list(range(10))
    assert not flights.is_taken("blob")


async def test_other_keys_do_not_wait():
    flights = Flights[str]()

    async with flights.take("one"), flights.take("another"):
        assert flights.is_taken("one")

    assert not flights.is_taken("one")


async def test_one_who_gives_up_waiting_leaves_no_trace():
    flights = Flights[str]()
    async with flights.take("blob"):
        waiting = asyncio.create_task(flights.take("blob").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])

    assert not flights.is_taken("blob")


async def test_after_two_failures_those_who_wait_with_the_same_source_fail_too():
    flights, tried = Flights[str](), []

    async def take(source: RepositoryName) -> None:
        async with flights.take("blob", source) as flight:
            flight.raise_if_hopeless()
            with flight.noting_failure():
                tried.append(source)
                await asyncio.sleep(0)
                raise RegistryUnavailable(f"down for {source}")

    results = await asyncio.gather(
        *(take(source) for source in [HERE] * 5 + [THERE]), return_exceptions=True
    )

    assert tried == [HERE, HERE, THERE]
    assert all(isinstance(result, RegistryUnavailable) for result in results)
    with pytest.raises(RegistryUnavailable):
        await take(HERE)
    assert tried == [HERE, HERE, THERE, HERE], "later ones try again"


def test_the_values_used_last_are_kept():
    recent = Recent[str, str](10)
    recent.put("a", "1", 4)
    recent.put("b", "2", 4)
    assert recent.get("a") == "1"

    recent.put("c", "3", 4)

    assert (recent.get("a"), recent.get("b"), recent.get("c")) == ("1", None, "3")


def test_a_value_that_is_put_again_counts_once():
    recent = Recent[str, str](10)
    for _ in range(100):
        recent.put("a", "1", 6)

    recent.put("b", "2", 4)

    assert recent.get("a") == "1"
