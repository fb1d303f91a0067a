"""What the ledger costs a run, in statements: times are for the benchmarks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from replicator.oci.digest import Digest
from replicator.oci.reference import RepositoryName, Tag
from replicator.planning.plan import Decision
from replicator.store.database import Database
from replicator.store.inventory import LedgerInventory
from replicator.store.ledger import Ledger
from replicator.store.owner import Owner
from replicator.store.prepared import file as prepared_file
from replicator.store.prepared.statements import PUBLISHED_AT_KEYS
from replicator.store.records import Outcome, RunState, Totals
from replicator.store.rules import Rules
from replicator.store.runs import Runs
from tests.store.values import ALPINE, NOON, a_rule, an_action, published


async def test_a_thousand_unchanged_tags_cost_as_many_statements_as_one(
    database: Database,
) -> None:
    one = await statements_of_an_unchanged_run(database, tags=1)
    thousand = await statements_of_an_unchanged_run(database, tags=1000)

    assert one == thousand
    assert len(thousand) <= 15


async def test_hundreds_of_repositories_are_read_by_one_statement(database: Database) -> None:
    names = [RepositoryName("registry.example.com", f"r{number}") for number in range(500)]
    wanted = {name: [Tag("1"), Tag("2")] for name in names}

    executed = await statements(database, Ledger(database).published_tags(wanted))

    assert executed.count("SELECT") == 1


async def test_wanted_tags_are_looked_up_and_not_searched_for(tmp_path: Path) -> None:
    async with (
        await Database.open(f"sqlite:///{tmp_path}/new.db", upgrade=True) as database,
        database.reading() as connection,
    ):
        query = f"EXPLAIN QUERY PLAN {PUBLISHED_AT_KEYS.sql}"
        steps = [row.detail for row in await connection.exec_driver_sql(query, ("[]",))]

    assert [step.partition(" VIRTUAL")[0] for step in steps] == [
        "SCAN keys",
        "SEARCH published_tag USING PRIMARY KEY (registry=? AND repository=? AND tag=?)",
    ]


async def test_what_many_ask_for_at_once_is_looked_up_together(database: Database) -> None:
    inventory = LedgerInventory(Ledger(database), lambda: NOON, trusted_for=timedelta(days=1))
    digests = [Digest.of(str(number).encode()) for number in range(100)]

    async def ask_for_each() -> None:
        await asyncio.gather(
            *(inventory.holders("registry.example.com", [digest]) for digest in digests)
        )

    executed = await statements(database, ask_for_each())

    assert executed.count("SELECT") == 1


async def statements_of_an_unchanged_run(database: Database, *, tags: int) -> list[str]:
    ledger, runs = Ledger(database), Runs(database, Owner.this_process())
    names = [str(number) for number in range(tags)]
    wanted = [Tag(name) for name in names]
    await ledger.record([published(name) for name in names], (), at=NOON)
    actions = [an_action(name, decision=Decision.SKIP, outcome=Outcome.UNCHANGED) for name in names]

    async def run_unchanged() -> None:
        (rule,) = await Rules(database).replace_file_rules([a_rule()])
        run = await runs.start(rule, "cli", NOON)
        assert len(await ledger.published_tags({ALPINE: wanted})) == tags
        await runs.save(run.id, actions)
        await runs.finish(run.id, RunState.SUCCEEDED, Totals(), NOON)

    await run_unchanged()
    return await statements(database, run_unchanged())


async def statements(database: Database, work) -> list[str]:
    """Do some *work*, and return the first word of each statement that it took."""
    executed: list[str] = []

    def hear(connection, cursor, statement, *_) -> None:
        executed.append(statement.split()[0])

    def carry_out(connection, statement, values):
        executed.append(statement.sql.split()[0])
        return carry_out_on_file(connection, statement, values)

    carry_out_on_file, engine = prepared_file._carry_out, database.alchemy.engine.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepared_file, "_carry_out", carry_out)
        await work
    event.remove(engine, "before_cursor_execute", hear)
    return executed
