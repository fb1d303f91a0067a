"""The rhythm in which somebody is told of a run that goes on."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from replicator.api.following import follow
from replicator.errors import AccessDenied, RunNotFound, StoreError


class Script:
    """A watcher whose answers are written down: one list for each look, one item for each question.

    A question that is an error raises it; after the last one the run is over.
    """

    def __init__(self, questions, looks=()):
        self.questions = list(questions)
        self.looks = list(looks)
        self.is_over = False
        self.asked = 0

    def news(self):
        return self.looks.pop(0) if self.looks else []

    async def ask(self):
        self.asked += 1
        answer = self.questions.pop(0)
        self.is_over = not self.questions
        if isinstance(answer, Exception):
            self.is_over = False
            raise answer
        return answer

    def last(self):
        return ["end"]


async def told(script, is_closed=lambda: False):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        assert len(slept) < 1000

    return [text async for text in follow(script, is_closed, nullcontext(), sleep)], slept


async def test_what_is_new_is_told_until_the_run_is_over():
    script = Script([["queued"], ["running"], ["finished"]], [["a"], [], ["b", "c"]])

    texts, slept = await told(script)

    assert texts == ["queued", "a", "b", "c", "running", "finished", "end"]
    assert sum(slept) == 4.0
    assert script.asked == 3


async def test_a_run_that_is_over_already_is_told_at_once():
    texts, slept = await told(Script([["finished"]], [["fact"]]))

    assert texts == ["finished", "fact", "end"]
    assert slept == []


async def test_silence_is_broken_by_a_comment_every_fifteen_seconds():
    script = Script([["queued"], *[[]] * 20, ["finished"]], [[]] * 40 + [["news"]])

    texts, _ = await told(script)

    assert texts == ["queued", ": alive\n\n", "news", ": alive\n\n", "finished", "end"]


async def test_a_database_that_is_away_ends_nothing():
    script = Script([["queued"], StoreError("away"), StoreError("away"), ["finished"]])

    texts, slept = await told(script)

    assert texts == ["queued", "finished", "end"]
    assert sum(slept) == 6.0


@pytest.mark.parametrize("error", [AccessDenied("revoked"), RunNotFound("gone")])
async def test_whoever_may_no_longer_watch_is_told_nothing_more(error):
    texts, _ = await told(Script([["queued"], error, ["finished"]], [["a"]]))

    assert texts == ["queued", "a"]


async def test_a_process_that_ends_ends_no_run():
    texts, slept = await told(Script([["queued"], []], [["a"]]), is_closed=lambda: True)

    assert texts == ["queued", "a"]
    assert slept == []
