"""Whoever is killed, and wherever: no due time is lost or doubled, no tag is torn or wrong."""

from __future__ import annotations

import pytest

from tests.chaos.matrix import LEFT_OUT, PLACES, kill_at

# One of each kind of process and work, for the fast suite: each costs a start of a process.
_FEW = ("after_fire", "after_claim", "before_tag_put", "before_run_finish")


def test_every_place_is_in_the_matrix_or_has_a_reason_not_to_be():
    assert set(LEFT_OUT) <= set(PLACES)
    assert all(LEFT_OUT.values())
    assert set(_FEW) <= set(PLACES)


def test_whoever_is_killed_at_some_places_loses_nothing(open_stage, distribution2):
    with open_stage("few") as stage:
        for place in _FEW:
            cell = kill_at(stage, distribution2.process, place, times=1)
            assert cell.findings.errors == []


@pytest.fixture(scope="module")
def every_place(open_stage):
    """A cluster for all cells, so that each begins with what the one before left."""
    with open_stage("every") as stage:
        yield stage


@pytest.mark.slow
@pytest.mark.parametrize("place", [place for place in PLACES if place not in LEFT_OUT])
def test_whoever_is_killed_at_any_place_loses_nothing(every_place, distribution2, place):
    cell = kill_at(every_place, distribution2.process, place)
    print(cell, flush=True)

    assert cell.findings.errors == []
