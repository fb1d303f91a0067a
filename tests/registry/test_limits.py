"""Places, rates and pauses of one registry."""

from __future__ import annotations

import asyncio
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.planning.windows import Window
from replicator.registry.bandwidth import BandwidthHours
from replicator.registry.pace import Pace
from replicator.registry.retry import Clock
from replicator.registry.slots import Limits, Slots
from tests.registry.clients import Patience


def limits(patience=None, **options):
    values = {"max_concurrency": 8, "max_blobs": 2, "requests_per_second": 0, "bandwidth": ()}
    clock = (patience or Patience()).clock
    return Limits(**{**values, **options}, clock=clock)


def places_of(these):
    """How many requests, reads and writes there may be."""
    return these._requests.limit, these._reading.limit, these._writing.limit


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
    these = limits(patience, bandwidth=[BandwidthHours(1000)])

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


async def test_bytes_go_by_the_hour_of_the_first_entry_that_fits():
    # 1970-01-01 01:59:00 in Berlin, which was an hour ahead of UTC.
    patience = Patience(seconds=59 * 60)
    entries = [
        BandwidthHours(1000, Window.parse("02:00-03:00", where=""), ZoneInfo("Europe/Berlin")),
        BandwidthHours(0, Window.parse("00:00-01:30", where="")),
        BandwidthHours(100),
    ]
    these = limits(patience, bandwidth=entries)

    async def seconds_for(size):
        start = patience.seconds
        for _ in range(size // 50):
            await these.pass_bytes(50)
        return patience.seconds - start

    assert await seconds_for(1000) < 1
    patience.seconds = 60 * 60
    assert await seconds_for(10_000) == pytest.approx(10, abs=0.5)
    patience.seconds = 3 * 60 * 60
    assert await seconds_for(1000) == pytest.approx(10, abs=0.5)


async def test_who_shares_a_registry_keeps_to_a_part_of_everything():
    patience = Patience()
    these = limits(patience, requests_per_second=10, bandwidth=[BandwidthHours(1000)])

    these.divide(2)
    crowd, readers = Crowd(these.request, 20), Crowd(these.reading, 20)
    await settle()
    start = patience.seconds
    for _ in range(11):
        await these.pass_bytes(500)
    bytes_done = patience.seconds
    for _ in range(15):
        await these.pace()

    # In each second five requests, of which as many may go at once, and 500 bytes.
    assert (crowd.inside, readers.inside) == (4, 1)
    assert bytes_done - start == pytest.approx(10.75)
    assert patience.seconds - bytes_done == pytest.approx(2.0)
    await crowd.leave()
    await readers.leave()


@given(st.integers(1, 64), st.integers(1, 20), st.lists(st.integers(1, 80), min_size=1))
async def test_the_parts_are_never_more_than_the_whole_and_it_comes_back(most, blobs, changes):
    these = limits(max_concurrency=most, max_blobs=blobs)
    whole = places_of(these)

    for among in changes:
        these.divide(among)
        requests, reading, writing = places_of(these)
        assert requests <= max(1, most // among)
        assert reading == writing <= max(1, blobs // among)
    these.divide(1)

    assert places_of(these) == whole


async def test_another_origin_of_the_registry_has_the_same_limits_divided_alike():
    these = limits()
    before = these.beside()

    these.divide(2)
    after = these.beside()

    assert places_of(before) == places_of(after) == places_of(these)
    these.divide(1)
    assert places_of(before) == places_of(after) == places_of(limits())


async def test_a_throttled_registry_stays_so_when_somebody_joins():
    patience = Patience()
    these = limits(patience)
    these.throttled(0.5)

    these.divide(2)
    crowd = Crowd(these.request, 20)
    await settle()

    assert crowd.inside == 2
    await crowd.leave()


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
