"""When a rule is due is said as the scheduler takes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from replicator.planning.backoff import Failing
from replicator.planning.due_times import shift
from replicator.planning.error_budget import GoodRun
from replicator.planning.plan import Decision
from replicator.planning.rule import Rule
from replicator.service.rules.status import status_of
from replicator.store.records import RunRecord, RunState, Totals
from tests.store.values import an_action

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
THREE = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
RULE = Rule("app", "a.example/app", ("b.example/app",))


class Nothing:
    """A history without runs, and no tag that fails."""

    async def latest(self, *, only_good):
        return {}

    async def under_way(self):
        return {}

    async def counting_since(self):
        return {}

    async def deferred_until(self):
        return {}

    async def failing(self):
        return []


class Late(Nothing):
    """The only good run began two days ago."""

    async def good_runs(self, rules, since):
        assert set(rules) == {"app"}
        return {"app": (GoodRun(NOW - timedelta(days=2), NOW - timedelta(days=2)),)}


class Conflicts(Nothing):
    """The last run of a rule left two tags alone, one of them as it had failed before."""

    def __init__(self):
        held, taken = (an_action(tag, decision=Decision.BLOCKED) for tag in ("held", "taken"))
        self.left = (held, replace(taken, decision=Decision.CONFLICT))
        self.last = RunRecord(
            "id", 7, RULE, "test", RunState.PARTIAL, "", NOW,
            totals=Totals({"conflict": 1, "blocked": 1}),
        )  # fmt: skip

    async def latest(self, *, only_good):
        return {} if only_good else {"app": self.last}

    async def left_alone(self, runs, *, most):
        return {7: self.left} if 7 in runs else {}

    async def failing(self):
        held, times = self.left[0], (NOW, NOW, NOW)
        place = held.destination, held.tag
        return [Failing(*place, "app", held.source, 4, "unavailable", "503", "source", *times)]


async def next_due(**more):
    rule = Rule("app", "a.example/app", ("b.example/app",), schedule="0 3 * * *", **more)
    (status,) = await status_of([rule], history=Nothing(), notes=Nothing(), clock=lambda: NOW)
    return status.next_due


async def test_a_rule_with_jitter_is_due_later_by_its_part_of_it():
    jitter = timedelta(hours=10)

    assert await next_due() == THREE
    assert await next_due(jitter=jitter) == THREE + shift("app", jitter)


async def test_a_time_that_is_past_but_put_off_is_still_to_come():
    jitter = timedelta(hours=300)
    late = shift("app", jitter)

    due = await next_due(jitter=jitter)

    assert timedelta(0) < due - NOW <= timedelta(days=1)
    assert (due - late).hour == 3


async def test_conflicts_of_the_last_run_are_named_but_not_what_is_told_of_as_failing():
    conflicts = Conflicts()

    (status,) = await status_of([RULE], history=conflicts, notes=conflicts, clock=lambda: NOW)

    assert status.left_alone == [conflicts.left[1]]
    assert [str(each.tag) for each in status.failing] == ["held"]


async def test_what_comes_due_in_maintenance_is_due_at_its_end():
    assert await next_due(maintenance=("02:30-06:00",)) == THREE.replace(hour=6)


async def test_a_rule_with_an_objective_has_an_error_budget_and_the_others_have_none():
    late = replace(RULE, objective=timedelta(hours=44))
    rules = [late, replace(RULE, name="other")]

    found = await status_of(rules, history=Late(), notes=Nothing(), clock=lambda: NOW)

    assert found[0].budget.behind == timedelta(hours=4)
    assert 0.44 < found[0].budget.left < 0.45
    assert found[1].budget is None


async def test_nobody_knows_the_budget_of_a_rule_that_was_never_good():
    class Never(Late):
        async def good_runs(self, rules, since):
            return {}

    rule = replace(RULE, objective=timedelta(hours=44))

    (status,) = await status_of([rule], history=Never(), notes=Nothing(), clock=lambda: NOW)

    assert status.budget is None
