"""What is told of a rule, and when nothing is."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.notify.telling import QUIET, Occasion, State, Topic, next_told
from replicator.store.records import LatestRun, RunState
from tests.store.values import HOUR, NOON

MINUTE = timedelta(minutes=1)
ALL = frozenset(Occasion)
GOOD = LatestRun("base", 1, "r1", RunState.SUCCEEDED, NOON, "", {"selected": 3}, NOON)
BAD = replace(GOOD, state=RunState.FAILED, error="no answer", number=2, run="r2")


class Channel:
    """Delivers all that is due at once, as long as it works."""

    def __init__(self, topic, occasions=ALL):
        self.topic, self.occasions = topic, occasions
        self.known = None
        self.texts = []
        self.works = True

    def look(self, standing, now):
        """Look at a rule, and return what is told of it."""
        self.known = next_told(self.topic, standing, self.known, self.occasions, now)
        known = self.known
        if known is None or known.pending is None or not self.works or known.due_at > now:
            return None
        self.known = known.arrived(now)
        self.texts.append((known.pending.occasion, now))
        return known.pending


def test_a_rule_that_was_always_well_is_nothing_to_speak_of():
    channel = Channel(Topic.RUNS)

    assert channel.look(GOOD, NOON) is None
    assert channel.known is None


def test_a_failure_is_told_at_once_and_its_end_too():
    channel = Channel(Topic.RUNS)

    failed = channel.look(BAD, NOON)
    well = channel.look(replace(GOOD, number=3, run="r3"), NOON + MINUTE)

    assert (failed.occasion, failed.run) == (Occasion.FAILURE, "r2")
    assert failed.text == "rule base failed: no answer"
    assert (well.occasion, well.run) == (Occasion.RECOVERY, "r3")
    assert channel.look(replace(GOOD, number=4), NOON + HOUR) is None


def test_tags_that_failed_are_counted_in_what_is_told():
    partial = replace(BAD, state=RunState.PARTIAL, error="", counts={"failed": 2, "blocked": 1})

    assert Channel(Topic.RUNS).look(partial, NOON).text == (
        "rule base partial: tags: 2 failed, 1 blocked"
    )


def test_what_stays_broken_is_told_once_an_hour_and_only_of_newer_runs():
    channel = Channel(Topic.RUNS)
    for minute in range(181):
        number = 2 + minute // 10
        channel.look(replace(BAD, number=number), NOON + minute * MINUTE)

    assert [at - NOON for _, at in channel.texts] == [n * HOUR for n in range(4)]

    channel.look(replace(BAD, number=20), NOON + 9 * HOUR)
    assert len(channel.texts) == 4


def test_what_was_over_before_it_could_be_told_never_is():
    channel = Channel(Topic.RUNS)
    channel.works = False
    channel.look(BAD, NOON)
    channel.works = True

    assert channel.look(replace(GOOD, number=3), NOON + MINUTE) is None
    assert channel.known.state is State.WELL


def test_whoever_wants_only_recoveries_hears_of_them():
    channel = Channel(Topic.RUNS, frozenset({Occasion.RECOVERY}))

    assert channel.look(BAD, NOON) is None
    assert channel.look(replace(GOOD, number=3), NOON + MINUTE).occasion is Occasion.RECOVERY


def test_lag_over_the_objective_is_told_and_its_end():
    channel = Channel(Topic.LAG)
    rule = replace(GOOD, objective=30 * MINUTE)

    assert channel.look(rule, NOON + 30 * MINUTE) is None
    late = channel.look(rule, NOON + 31 * MINUTE)
    again = channel.look(replace(rule, in_step_at=NOON + 40 * MINUTE), NOON + 41 * MINUTE)

    assert late.text == "rule base is not in step since 31m; its objective is 30m"
    assert again.text == "rule base is in step again"


def test_lag_is_told_again_each_hour_while_it_lasts():
    channel = Channel(Topic.LAG)
    rule = replace(GOOD, objective=30 * MINUTE)
    for minute in range(300):
        channel.look(rule, NOON + minute * MINUTE)

    assert [at - NOON for _, at in channel.texts] == [31 * MINUTE + n * HOUR for n in range(5)]


def test_a_rule_without_an_objective_is_never_late():
    assert Channel(Topic.LAG).look(replace(GOOD, in_step_at=None), NOON + 999 * HOUR) is None


def test_changes_are_told_with_what_they_are_and_those_within_an_hour_together():
    channel = Channel(Topic.CONTENT)
    first = channel.look(replace(GOOD, number=1, counts={"copied": 2}), NOON)
    for n in range(2, 7):
        run = replace(GOOD, number=n, counts={"copied": 1, "pruned": 1})
        assert channel.look(run, NOON + n * 5 * MINUTE) is None

    told = channel.look(replace(GOOD, number=7, counts={"copied": 0}), NOON + HOUR)

    assert first.text == "rule base changed tags: 2 copied"
    assert told.text == "rule base changed tags: 5 copied, 5 pruned"
    assert channel.look(replace(GOOD, number=8, counts={}), NOON + 3 * HOUR) is None


def test_changes_are_not_told_to_those_who_did_not_ask():
    channel = Channel(Topic.CONTENT, ALL - {Occasion.CHANGE})

    assert channel.look(replace(GOOD, counts={"copied": 2}), NOON) is None


@pytest.mark.parametrize("topic", [Topic.RUNS, Topic.LAG])
@given(looks=st.lists(st.tuples(st.booleans(), st.integers(1, 50), st.booleans()), max_size=60))
def test_nobody_is_told_the_same_state_twice_within_an_hour(topic, looks):
    channel, now = Channel(topic), NOON
    told = []
    for number, (is_good, minutes, works) in enumerate(looks, start=1):
        now += minutes * MINUTE
        run = GOOD if is_good else BAD
        in_step = now if is_good else NOON - 9 * HOUR
        channel.works = works
        notice = channel.look(replace(run, number=number, in_step_at=in_step, objective=HOUR), now)
        if notice is not None:
            told.append((notice.occasion is Occasion.RECOVERY, now))

    for (was_good, before), (good, after) in itertools.pairwise(told):
        assert was_good != good or (not good and after - before >= QUIET)
    assert not told or not told[0][0]
