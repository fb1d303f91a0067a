"""Services are counted by what they are there for, as long as they are heard of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from replicator.store.database import Database
from replicator.store.owner import Owner
from replicator.store.services import Services
from tests.store.values import NOON

ME = Owner.this_process()
STRANGER = Owner("other", "other-machine", 1, "1")


async def test_those_who_carry_out_runs_are_counted_and_this_one_with_them(
    database: Database,
) -> None:
    here = Services(database, ME, NOON)
    assert await here.working(NOON) == 1

    await Services(database, STRANGER, NOON).announce(NOON)
    await Services(database, replace(STRANGER, pid=2), NOON, works=False).announce(NOON)
    await here.announce(NOON)

    assert await here.working(NOON + timedelta(seconds=20)) == 2
    assert await here.working(NOON + timedelta(seconds=30)) == 1
