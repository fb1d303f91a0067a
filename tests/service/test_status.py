"""When a rule is due is said as the scheduler takes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from replicator.planning.due_times import shift
from replicator.planning.rule import Rule
from replicator.service.status import status_of

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
THREE = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


class Nothing:
    """A history without runs, and no tag that fails."""

    async def latest(self, *, only_good):
        return {}

    async def counting_since(self):
        return {}

    async def failing(self):
        return []


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


async def test_what_comes_due_in_maintenance_is_due_at_its_end():
    assert await next_due(maintenance=("02:30-06:00",)) == THREE.replace(hour=6)
