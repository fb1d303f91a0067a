"""The audit: one chain, whoever writes at the same time, and every way to rewrite it is seen."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from replicator.errors import RunActive, RunFinished
from replicator.store.actor import Actor, acting
from replicator.store.audit import Change
from replicator.store.audit_trail import Audit
from replicator.store.database import Database
from replicator.store.queue import Queue
from replicator.store.rules import Rules
from tests.store.values import NOON, a_rule


async def filled(database: Database) -> Audit:
    audit = Audit(database)
    for number in range(6):
        await audit.add(
            Change("create", "rule", f"rule-{number}", new={"n": number, "é": "\u2028"})
        )
    return audit


async def test_a_chain_that_nobody_touched_is_whole(database: Database) -> None:
    audit = await filled(database)

    found = await audit.verify()

    assert (found.rows, found.broken_at) == (6, None)
    assert found.head == (await audit.page(before=None, limit=1))[0].hash


async def test_those_who_write_at_the_same_time_make_one_chain(
    database: Database, database_url: str
) -> None:
    async with await Database.open(database_url, upgrade=False) as other:
        audits = [Audit(database), Audit(other)]
        changes = [Change("create", "rule", f"rule-{number}") for number in range(20)]
        await asyncio.gather(
            *(audits[number % 2].add(change) for number, change in enumerate(changes))
        )

    found = await Audit(database).verify()

    assert (found.rows, found.broken_at) == (20, None)


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE id = 3", 3),
        ("UPDATE audit SET action = 'delete' WHERE id = 3", 3),
        ("UPDATE audit SET name = 'other' WHERE id = 3", 3),
        ("UPDATE audit SET new = NULL WHERE id = 3", 3),
        ("""UPDATE audit SET new = '{"n": 9}' WHERE id = 3""", 3),
        ("UPDATE audit SET at = '2026-01-01 00:00:00+00:00' WHERE id = 3", 3),
        ("DELETE FROM audit WHERE id = 3", 4),
        ("DELETE FROM audit WHERE id = 1", 2),
        ("UPDATE audit SET id = id + 100 WHERE id = 3", 4),
    ],
)
async def test_what_is_rewritten_is_seen(
    database: Database, statement: str, broken_at: int
) -> None:
    audit = await filled(database)
    async with database.writing() as connection:
        await connection.execute(text(statement))

    assert (await audit.verify()).broken_at == broken_at


async def test_a_change_that_came_to_nothing_leaves_no_record(database: Database) -> None:
    def refuse(rules: object) -> tuple[()]:
        raise ValueError("of no use")

    await Rules(database).put(a_rule())
    with pytest.raises(ValueError, match="of no use"):
        await Rules(database).rewrite(refuse)

    assert (await Audit(database).verify()).rows == 1


async def test_a_record_names_who_acts_in_this_task(database: Database) -> None:
    async def change(name: str) -> None:
        with acting(Actor(name, "api from 192.0.2.7")):
            await Rules(database).put(a_rule(f"of-{name}"))

    await asyncio.gather(change("ada"), change("bob"))
    await Rules(database).delete("of-ada")
    records = await Audit(database).page(before=None, limit=10)

    made = {(each.change.action, each.change.name): (each.actor, each.via) for each in records}
    assert made == {
        ("create", "of-ada"): ("ada", "api from 192.0.2.7"),
        ("create", "of-bob"): ("bob", "api from 192.0.2.7"),
        ("delete", "of-ada"): ("replicate", "service"),
    }


async def test_what_is_asked_of_runs_is_written_down_with_it_and_not_when_it_is_refused(
    database: Database,
) -> None:
    queue = Queue(database)
    first = await queue.add(a_rule(), "person", NOON)
    with pytest.raises(RunActive):
        await queue.add(a_rule(), "person", NOON)
    await queue.cancel(first.id[:20], NOON)
    with pytest.raises(RunFinished):
        await queue.cancel(first.id, NOON)
    second = await queue.add(a_rule(), "person", NOON, only=["a.io/b:1"], repeats=first.id)

    records = await Audit(database).page(before=None, limit=10, kind="run")

    name = a_rule().name
    assert [each.change for each in reversed(records)] == [
        Change("start", "run", first.id, new={"rule": name}),
        Change("cancel", "run", first.id, old={"rule": name, "state": "queued"}),
        Change("retry", "run", first.id, new={"rule": name, "run": second.id, "failed": True}),
    ]
