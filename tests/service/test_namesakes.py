"""Tags that differ only in case, at registries that keep tags in lower case."""

from __future__ import annotations

import pytest

from replicator.oci.reference import Tag
from replicator.planning.plan import Decision
from tests.service.conftest import DESTINATION, rule


@pytest.fixture
def folding(monkeypatch):
    monkeypatch.setattr("tests.service.fakes.FakeRepository.folds", True)


def decisions(bench, report):
    return {
        str(tag): action.decision
        for (run, place, tag), action in bench.runs.actions.items()
        if (run, place) == (report.run, DESTINATION)
    }


async def test_the_second_of_two_that_differ_in_case_is_refused(bench, folding):
    bench.source.put("V1", "v1", "v2")

    report = await bench.run(rule())

    assert set(bench.destination.tags) == {"V1", "v2"}
    found = bench.runs.actions[report.run, DESTINATION, "v1"]
    assert found.decision is Decision.CONFLICT
    assert "differs only in case from V1" in found.reason


async def test_so_is_one_that_comes_a_thousand_tags_later(bench, folding):
    bench.source.put("A-tag", *(f"a-{number}" for number in range(1000)), "a-tag")

    report = await bench.run(rule())

    assert "A-tag" in bench.destination.tags
    assert "a-tag" not in bench.destination.tags
    assert decisions(bench, report)["a-tag"] is Decision.CONFLICT


async def test_what_was_published_first_stays(bench, folding):
    bench.source.put("v1")
    await bench.run(rule())
    bench.source.put("V1")

    report = await bench.run(rule())

    assert set(bench.destination.tags) == {"v1"}
    assert decisions(bench, report)["V1"] is Decision.CONFLICT


async def test_elsewhere_they_are_two_tags(bench):
    bench.source.put("V1", "v1")

    await bench.run(rule())

    assert set(bench.destination.tags) == {Tag("V1"), Tag("v1")}
