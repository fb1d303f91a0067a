"""Migrations: one history for both databases, and its end is what the program expects."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager
from sqlalchemy import text

from replicator.errors import SchemaMismatch
from replicator.oci.reference import Tag
from replicator.store import migrate, schema, schema_tables
from replicator.store.database import Database
from replicator.store.ledger import Ledger
from replicator.store.owner import Owner
from replicator.store.runs import Runs
from replicator.store.tables import metadata
from tests.store.values import ALPINE, NOON, a_rule, an_action, published
from tests.support.postgres import Postgres

_CHECKOUT = Path(__file__).parents[2]


def test_the_program_knows_every_revision_and_the_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]

    assert tuple(reversed(revisions)) == schema.REVISIONS


async def test_up_down_and_up_again_gives_what_the_models_say(empty_database_url: str) -> None:
    await migrate.upgrade(empty_database_url)
    async with Database(empty_database_url) as database:
        await migrate.migrate(database, lambda config: command.downgrade(config, "base"))
        async with database.reading() as connection:
            left = await connection.run_sync(lambda sync: migrate.differences(sync))
        assert len(left) >= len(metadata.tables)

    await migrate.upgrade(empty_database_url)

    assert await migrate.check(empty_database_url) == ()
    assert await migrate.current(empty_database_url) == schema.HEAD


async def test_a_migrated_file_is_exactly_one_that_was_made_on_the_spot(tmp_path: Path) -> None:
    migrated, made = tmp_path / "migrated.db", tmp_path / "made.db"
    await migrate.upgrade(f"sqlite:///{migrated}")
    async with await Database.open(f"sqlite:///{made}", upgrade=True):
        pass

    assert definitions(migrated) == definitions(made)


async def test_a_migrated_server_is_exactly_one_made_from_the_models(
    postgres_server: Postgres, postgres_template: str
) -> None:
    made = postgres_server.create_database()
    async with Database(postgres_server.url(made)) as database, database.writing() as connection:
        await connection.run_sync(schema_tables.create)
        carrier = (migrate.MIGRATIONS / "procrastinate.sql").read_text("utf-8")
        await connection.exec_driver_sql(carrier.replace("%", "%%"))

    assert postgres_server.schema(made) == postgres_server.schema(postgres_template)


async def test_the_carrier_of_messages_is_the_one_that_the_installed_library_expects(
    postgres_server: Postgres, postgres_template: str
) -> None:
    own = postgres_server.create_database()
    with psycopg.connect(postgres_server.url(own)) as connection:
        connection.execute(SchemaManager.get_schema())

    def of_carrier(name: str) -> set[str]:
        statements = postgres_server.schema(name).split(";\n\n")
        return {each for each in statements if "procrastinate_" in each}

    assert of_carrier(own) == of_carrier(postgres_template) != set()


async def test_a_run_of_the_program_before_items_goes_on_with_them(
    empty_database_url: str,
) -> None:
    await migrate.upgrade(empty_database_url)
    async with Database(empty_database_url) as database:
        await migrate.migrate(database, lambda config: command.downgrade(config, "0004"))
        async with database.writing() as connection:
            await connection.exec_driver_sql(
                "INSERT INTO run (id, rule, snapshot, trigger, state, owner, leased_until, "
                "started_at, queued_at, counts, bytes_moved, bytes_mounted, bytes_skipped, "
                "requests, error) VALUES ('old', 'app', '{}', 'schedule', 'running', 'a/b/1/2', "
                "'2026-01-01', '2026-01-01', '2026-01-01', '{}', 0, 0, 0, '{}', '')"
            )

    await migrate.upgrade(empty_database_url)

    async with Database(empty_database_url) as database, database.reading() as connection:
        items = await connection.exec_driver_sql("SELECT kind, state, priority FROM item")
        runs = await connection.exec_driver_sql("SELECT state FROM run")
        assert (items.all(), runs.all()) == ([("listing", "waiting", 1)], [("queued",)])


async def test_an_upgrade_of_what_is_up_to_date_changes_nothing(database_url: str) -> None:
    async with await Database.open(database_url, upgrade=True) as database:
        await Ledger(database).record([published()], (), at=NOON)

    assert await migrate.upgrade(database_url) == schema.HEAD

    async with await Database.open(database_url, upgrade=False) as database:
        assert list(await Ledger(database).published(ALPINE)) == [Tag("3.20")]


async def test_two_upgrades_at_once_both_succeed(empty_database_url: str) -> None:
    revisions = await asyncio.gather(*(migrate.upgrade(empty_database_url) for _ in range(3)))

    assert revisions == [schema.HEAD] * 3
    assert await migrate.check(empty_database_url) == ()


async def test_a_migration_that_fails_leaves_all_as_it_was(database_url: str) -> None:
    async with await Database.open(database_url, upgrade=True) as database:

        def fail_half_way(config: Config) -> None:
            config.attributes["connection"].execute(text("DROP TABLE registry"))
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await migrate.migrate(database, fail_half_way)

    assert await migrate.check(database_url) == ()


async def test_a_table_can_be_made_anew_without_losing_the_rows_that_refer_to_it(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/replicator.db"
    async with await Database.open(url, upgrade=True) as database:
        runs = Runs(database, Owner.this_process())
        run = await runs.start(a_rule(), "cli", NOON)
        await runs.save(run.id, [an_action()])

        def make_run_anew(config: Config) -> None:
            connection = config.attributes["connection"]
            connection.execute(text("CREATE TABLE new AS SELECT * FROM run"))
            connection.execute(text("DROP TABLE run"))
            connection.execute(text("ALTER TABLE new RENAME TO run"))

        await migrate.migrate(database, make_run_anew)

        assert await runs.show(run.id) == (run, (an_action(),))


async def test_a_database_without_a_schema_has_no_revision(empty_database_url: str) -> None:
    assert await migrate.current(empty_database_url) is None
    with pytest.raises(SchemaMismatch, match="run `replicate db upgrade`"):
        await migrate.check(empty_database_url)


async def test_a_newer_database_is_not_touched(database_url: str) -> None:
    opening = await Database.open(database_url, upgrade=True)
    async with opening as database, database.writing() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaMismatch, match="was made by a newer version of replicate"):
        await migrate.upgrade(database_url)

    assert await migrate.current(database_url) == "9999"


async def test_differences_are_named(database_url: str) -> None:
    opening = await Database.open(database_url, upgrade=True)
    async with opening as database, database.writing() as connection:
        await connection.exec_driver_sql("DROP INDEX uq_run_active")
        await connection.exec_driver_sql("ALTER TABLE rule ADD COLUMN extra TEXT")

    assert sorted(await migrate.check(database_url)) == [
        "add_index uq_run_active",
        "remove_column rule.extra",
    ]


def test_opening_a_database_that_is_up_to_date_does_not_load_alembic(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
from replicator.store.database import Database
async def main():
    for _ in range(2):
        async with await Database.open("sqlite:///{tmp_path}/new.db", upgrade=True): pass
asyncio.run(main())
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_installed_package_has_its_migrations(tmp_path: Path) -> None:
    """Build a wheel from what git has, unpack it, and upgrade a database with nothing else."""
    source, wheels, installed = tmp_path / "source", tmp_path / "wheels", tmp_path / "installed"
    copy_tracked_files(source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    run([*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", wheels, source])
    (wheel,) = wheels.glob("*.whl")
    run([*pip, "install", *offline, "--target", installed, wheel])

    code = """
import asyncio
from replicator.store import migrate
print(migrate.MIGRATIONS, asyncio.run(migrate.upgrade("sqlite:///new.db")))
"""
    # -P and the working directory keep the checkout out of the way.
    printed = run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(installed)}
    )

    assert printed == f"{installed}/replicator/migrations {schema.HEAD}\n"


def definitions(path: Path) -> list[tuple[str, ...]]:
    """Return what a file's tables and indexes are made with, without regard to blanks.

    Nor to quotes, which SQLite adds to the name of a table that was made anew.
    """
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2")
    found = [
        (kind, name, "".join((sql or "").replace('"', "").split())) for kind, name, sql in rows
    ]
    connection.close()
    return found


def copy_tracked_files(destination: Path) -> None:
    names = run(["git", "ls-files", "-z"], cwd=_CHECKOUT).rstrip("\0").split("\0")
    for name in names:
        if not (_CHECKOUT / name).exists():
            continue
        copy = destination / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (_CHECKOUT / name).is_symlink():
            copy.symlink_to((_CHECKOUT / name).readlink())
        else:
            copy.write_bytes((_CHECKOUT / name).read_bytes())


def run(command: list[str | Path], **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
