"""What the ledger costs a run, in statements: times are for the benchmarks."""

from __future__ import annotations

from sqlalchemy import event

from replicator.oci.reference import RepositoryName
from replicator.planning.plan import Decision
from replicator.store.database import Database
from replicator.store.ledger import Ledger
from replicator.store.owner import Owner
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

    executed = await statements(database, Ledger(database).published_in(names))

    assert len([each for each in executed if each.startswith("SELECT")]) == 1


async def statements_of_an_unchanged_run(database: Database, *, tags: int) -> list[str]:
    ledger, runs = Ledger(database), Runs(database, Owner.this_process())
    names = [str(number) for number in range(tags)]
    await ledger.record([published(name) for name in names], (), at=NOON)
    actions = [an_action(name, decision=Decision.SKIP, outcome=Outcome.UNCHANGED) for name in names]

    async def run_unchanged() -> None:
        (rule,) = await Rules(database).replace_file_rules([a_rule()])
        run = await runs.start(rule, "cli", NOON)
        assert len(await ledger.published(ALPINE)) == tags
        await runs.save(run.id, actions)
        await runs.finish(run.id, RunState.SUCCEEDED, Totals(), NOON)

    await run_unchanged()
    return await statements(database, run_unchanged())


async def statements(database: Database, work) -> list[str]:
    """Do some *work*, and return the first word of each statement that it took."""
    executed: list[str] = []

    def hear(connection, cursor, statement, *_) -> None:
        executed.append(statement.split()[0])

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    await work
    event.remove(engine, "before_cursor_execute", hear)
    return executed
