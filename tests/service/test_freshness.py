"""How long rows of the ledger are believed."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from replicator.service.looking.freshness import Freshness
from tests.service.fakes import START

DAY = timedelta(days=1)
ages = st.timedeltas(timedelta(0), timedelta(days=10))


def due(age: timedelta, seed: int = 1) -> bool:
    return Freshness(DAY, random=Random(seed)).is_due(START - age, now=START)


@given(ages, st.integers())
def test_young_rows_are_believed_and_old_ones_are_not(age, seed):
    if age < DAY / 2:
        assert not due(age, seed)
    if age >= DAY:
        assert due(age, seed)


def test_a_share_of_those_between_is_due():
    freshness = Freshness(DAY, random=Random(1))

    share = sum(freshness.is_due(START - DAY * 0.75, now=START) for _ in range(10_000)) / 10_000

    assert 0.08 < share < 0.12


def test_what_was_never_seen_is_due():
    assert Freshness(DAY, random=Random(1)).is_due(None, now=START)


def test_a_share_of_all_that_the_user_asks_for_is_due():
    freshness = Freshness(DAY, random=Random(1), share=0.3)

    share = sum(freshness.is_due(START - DAY * 0.1, now=START) for _ in range(10_000)) / 10_000

    assert 0.28 < share < 0.32
