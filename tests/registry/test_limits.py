"""Places, rates and pauses of one registry."""

from __future__ import annotations

import asyncio

import pytest

from replicator.registry.pace import Pace
from replicator.registry.retry import Clock
from replicator.registry.slots import Limits, Slots
from tests.registry.clients import Patience


def limits(patience=None, **options):
    values = {"max_concurrency": 8, "max_blobs": 2, "requests_per_second": 0, "bandwidth": 0}
    clock = (patience or Patience()).clock
    return Limits(**{**values, **options}, clock=clock)


async def settle():
    """Let everybody go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Crowd:
    """Tasks that want a place each; counts how many have one, until they are let go."""

    def __init__(self, place, count):
        self.inside = 0
        self._gate = asyncio.Event()
        self.tasks = [asyncio.create_task(self._want(place)) for _ in range(count)]

    async def _want(self, place):
        async with place():
            self.inside += 1
            await self._gate.wait()
        self.inside -= 1

    async def leave(self):
        self._gate.set()
        await asyncio.gather(*self.tasks)


async def test_no_more_requests_than_allowed_are_under_way():
    crowd = Crowd(limits().request, 20)
    await settle()

    assert crowd.inside == 8
    await crowd.leave()


async def test_bodies_have_places_of_their_own_in_each_direction():
    these = limits()
    readers, writers = Crowd(these.reading, 5), Crowd(these.writing, 5)
    await settle()

    assert (readers.inside, writers.inside) == (2, 2)
    await readers.leave()
    await writers.leave()


async def test_requests_and_bodies_share_what_there_is():
    these = limits()
    readers = Crowd(these.reading, 5)
    await settle()
    requests = Crowd(these.request, 20)
    await settle()

    assert readers.inside + requests.inside == 8
    await readers.leave()
    await settle()
    assert requests.inside == 8
    await requests.leave()


async def test_bodies_never_take_the_last_place_of_a_request():
    these = limits(max_concurrency=1, max_blobs=4)
    bodies = Crowd(these.reading, 3)
    await settle()
    request = Crowd(these.request, 3)
    await settle()

    assert (bodies.inside, request.inside) == (1, 1)
    await request.leave()
    await bodies.leave()


async def test_whoever_is_cancelled_while_waiting_takes_no_place():
    slots = Slots(1)
    await slots.take()
    waiting = [asyncio.create_task(slots.take()) for _ in range(3)]
    await settle()

    waiting[0].cancel()
    await settle()
    slots.give_back()
    await waiting[1]

    assert slots.taken == 1
    waiting[2].cancel()


async def test_whoever_is_cancelled_just_after_getting_a_place_gives_it_back():
    slots = Slots(1)
    await slots.take()
    waiting = asyncio.create_task(slots.take())
    await settle()

    slots.give_back()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert slots.taken == 0


async def test_when_all_are_cancelled_at_once_each_ends_as_cancelled():
    slots = Slots(1)
    crowd = Crowd(lambda: slots, 3)
    await settle()

    for task in crowd.tasks:
        task.cancel()
    ends = await asyncio.gather(*crowd.tasks, return_exceptions=True)

    assert [type(end) for end in ends] == [asyncio.CancelledError] * 3
    assert slots.taken == 0


async def test_places_are_given_in_the_order_in_which_they_were_asked_for():
    slots, order = Slots(1), []

    async def want(name):
        await slots.take()
        order.append(name)
        slots.give_back()

    await slots.take()
    tasks = [asyncio.create_task(want(name)) for name in "abc"]
    await settle()
    slots.give_back()
    await asyncio.gather(*tasks)

    assert order == ["a", "b", "c"]


async def test_requests_keep_to_their_rate():
    patience = Patience()
    these = limits(patience, requests_per_second=10)

    for _ in range(50):
        await these.pace()

    # Ten may go at once, the others a tenth of a second apart.
    assert patience.seconds - 1000 == pytest.approx(4.0)


async def test_bytes_keep_to_their_rate():
    patience = Patience()
    these = limits(patience, bandwidth=1000)

    for _ in range(10):
        await these.pass_bytes(1000)

    assert patience.seconds - 1000 == pytest.approx(9.75)


async def test_a_rate_left_alone_does_not_save_up():
    patience = Patience()
    these = limits(patience, requests_per_second=10)
    patience.seconds += 3600

    for _ in range(50):
        await these.pace()

    assert patience.seconds - 4600 == pytest.approx(4.0)


async def test_throttling_halves_what_goes_on_at_once_and_only_once_a_burst():
    patience = Patience()
    these = limits(patience)

    for _ in range(5):
        these.throttled(0.5)
    crowd = Crowd(these.request, 20)
    await settle()

    assert crowd.inside == 4
    await crowd.leave()


async def test_a_later_burst_halves_it_again_but_never_to_nothing():
    patience = Patience()
    these = limits(patience)

    for _ in range(10):
        patience.seconds += 10
        these.throttled(0.5)
    crowd = Crowd(these.request, 20)
    await settle()

    assert crowd.inside == 1
    await crowd.leave()


async def test_answers_bring_it_back_little_by_little():
    these = limits()
    these.throttled(0)

    for _ in range(8):
        these.answered()
    crowd = Crowd(these.request, 20)
    await settle()
    assert 5 <= crowd.inside <= 6
    await crowd.leave()

    for _ in range(100):
        these.answered()
    crowd = Crowd(these.request, 20)
    await settle()
    assert crowd.inside == 8
    await crowd.leave()


async def test_everybody_pauses_as_long_as_one_was_told_to():
    patience = Patience()
    these = limits(patience)

    these.throttled(30)
    these.throttled(5)
    await these.pace()
    await these.pace()

    assert patience.slept == [30]


def test_a_body_that_trickles_is_too_slow_only_after_a_while():
    pace = Pace(window=60)

    assert all(pace.is_kept(1, 1.0) for _ in range(59))
    assert not pace.is_kept(1, 1.0)


def test_a_body_that_moves_is_never_too_slow_and_waiting_for_others_does_not_count():
    pace = Pace(window=60)

    assert all(pace.is_kept(2000, 1.0) for _ in range(300))
    assert all(pace.is_kept(1, 0.0) for _ in range(300))


def test_the_usual_clock_is_the_machines():
    clock = Clock()

    assert 0 <= clock.backoff(3) <= 4
    assert clock.monotonic() <= clock.monotonic()
