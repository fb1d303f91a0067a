"""What other processes say of a run counts while somebody watches it, and while they say it."""

from __future__ import annotations

import asyncio

import pytest

from replicator.telemetry.elsewhere import Elsewhere
from replicator.telemetry.snapshot import take_snapshot
from tests.telemetry.test_snapshot import blob, image


class Seconds:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def elsewhere(seconds):
    return Elsewhere("me", monotonic=seconds)


def said(run="r1", sender="other", *, moving=None):
    moving = [image(1)] if moving is None else moving
    return take_snapshot(run, sender, moving, [blob(1, each) for each in moving]).to_text()


def test_all_who_copy_are_shown_and_the_last_word_of_each_counts(elsewhere):
    with elsewhere.watching("r1"):
        elsewhere.hear(said(sender="a"))
        elsewhere.hear(said(sender="b", moving=[image(2)]))
        elsewhere.hear(said(sender="a", moving=[image(3)]))

        assert [each["done"] for each in elsewhere.images("r1")] == [3, 2]
        assert len(elsewhere.blobs("r1")) == 2


def test_who_says_no_more_is_shown_no_more(elsewhere, seconds):
    with elsewhere.watching("r1"):
        elsewhere.hear(said())
        seconds.now += 5
        before = elsewhere.images("r1")
        seconds.now += 2

        assert len(before) == 1
        assert elsewhere.images("r1") == elsewhere.blobs("r1") == []


def test_what_nobody_watches_is_not_kept(elsewhere):
    elsewhere.hear(said())
    with elsewhere.watching("r1"), elsewhere.watching("r1"):
        early = elsewhere.images("r1")
        elsewhere.hear(said())
    with elsewhere.watching("r1"):
        late = elsewhere.images("r1")

    assert early == late == []
    assert elsewhere.watched == ()


def test_this_process_knows_better_what_it_does_and_nonsense_is_nothing(elsewhere):
    with elsewhere.watching("r1"):
        for text in (said(sender="me"), said(run="r2"), "", "[]", "{", said()[:-1]):
            elsewhere.hear(text)

        assert elsewhere.images("r1") == []


def test_the_words_of_so_many_processes_are_kept_and_no_more(elsewhere):
    with elsewhere.watching("r1"):
        for n in range(200):
            elsewhere.hear(said(sender=str(n)))
        elsewhere.hear(said(sender="0", moving=[]))

        assert len(elsewhere.images("r1")) == 99


async def test_it_is_known_when_somebody_begins_to_watch(elsewhere):
    waiting = asyncio.create_task(elsewhere.next_watcher())
    await asyncio.sleep(0)
    assert not waiting.done()

    with elsewhere.watching("r1"):
        await waiting

        assert elsewhere.watched == ("r1",)
