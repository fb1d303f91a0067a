"""The database: made on the spot, shared without trouble, refused with a reason."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert

from replicator.errors import SchemaMismatch, StoreError
from replicator.store import schema
from replicator.store.database import Database
from replicator.store.ledger import Ledger
from replicator.store.tables import action
from tests.store.values import ALPINE, NOON, published
from tests.support.postgres import Postgres, free_port

_OPEN = """
import asyncio, sys
from replicator.store.database import Database
async def main():
    async with await Database.open(sys.argv[1], upgrade=True) as database:
        print(await database.revision())
asyncio.run(main())
"""


async def test_a_file_is_made_on_the_spot_and_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    async with await Database.open(url, upgrade=True) as database:
        await Ledger(database).record([published()], (), at=NOON)

    async with await Database.open(url, upgrade=False) as database:
        assert len(await Ledger(database).published(ALPINE)) == 1


def test_processes_that_make_the_same_file_at_once_all_succeed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPEN, f"sqlite:///{tmp_path}/new.db"]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]

    outputs = [process.communicate()[0] for process in started]

    assert outputs == [f"{schema.HEAD}\n"] * 4


async def test_a_relative_path_is_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async with await Database.open("sqlite:///here.db", upgrade=True):
        assert (tmp_path / "here.db").is_file()


async def test_without_upgrade_no_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match="has no tables yet; run `replicate db upgrade`"):
        await Database.open(f"sqlite:///{tmp_path}/new.db", upgrade=False)

    assert os.listdir(tmp_path) == []


async def test_a_server_is_never_upgraded_on_the_spot(postgres_server: Postgres) -> None:
    url = postgres_server.url(postgres_server.create_database())

    with pytest.raises(SchemaMismatch, match="has no tables yet; run `replicate db upgrade`"):
        await Database.open(url, upgrade=True)


async def test_a_server_is_reached_through_its_socket_too(
    postgres_server: Postgres, postgres_template: str
) -> None:
    name = postgres_server.create_database(template=postgres_template)
    url = (
        f"postgresql://replicator@/{name}?host={postgres_server.socket}&port={postgres_server.port}"
    )

    async with await Database.open(url, upgrade=False) as database:
        assert await database.revision() == schema.HEAD


async def test_a_newer_schema_is_refused(database: Database, database_url: str) -> None:
    async with database.writing() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaMismatch, match="was made by a newer version of replicate"):
        await Database.open(database_url, upgrade=True)


def test_an_older_schema_is_refused_with_the_way_out() -> None:
    with pytest.raises(SchemaMismatch) as refusal:
        schema.require_current("0001", "database x", revisions=("0001", "0002", "0003"))

    assert str(refusal.value) == (
        "database x has the older schema 0001, this version needs 0003; run `replicate db upgrade`"
    )


async def test_an_error_undoes_what_was_written_before_it(database: Database) -> None:
    async def fail_half_way() -> None:
        async with database.writing() as connection:
            await connection.exec_driver_sql("DELETE FROM alembic_version")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_half_way()

    assert await database.revision() == schema.HEAD


async def test_foreign_keys_are_checked(database: Database) -> None:
    row = dict.fromkeys(action.columns.keys(), "") | {"decision": "skip", "outcome": "pending"}
    numbers = {key: 0 for key in row if key.startswith("bytes_")} | {"run": 404, "attempts": 0}
    nothing = {key: None for key in row if key.startswith("error_")}

    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        async with database.writing() as connection:
            await connection.execute(insert(action), row | numbers | nothing)


async def test_many_writers_of_one_file_wait_for_each_other(tmp_path: Path) -> None:
    """Each reads before it writes, which fails when its transaction begins without the lock."""
    url = f"sqlite:///{tmp_path}/busy.db"
    async with (
        await Database.open(url, upgrade=True) as one,
        await Database.open(url, upgrade=True) as other,
    ):
        async with one.writing() as connection:
            await connection.exec_driver_sql("CREATE TABLE counter (value INTEGER)")
            await connection.exec_driver_sql("INSERT INTO counter VALUES (0)")

        async def count(database: Database) -> None:
            async with database.writing() as connection:
                value = (await connection.exec_driver_sql("SELECT value FROM counter")).scalar_one()
                await connection.exec_driver_sql("UPDATE counter SET value = ?", (value + 1,))

        await asyncio.gather(*(count(database) for database in (one, other) for _ in range(20)))

        async with one.reading() as connection:
            result = await connection.exec_driver_sql("SELECT value FROM counter")
            assert result.scalar_one() == 40


async def test_readers_of_a_file_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    async with (
        await Database.open(f"sqlite:///{tmp_path}/busy.db", upgrade=True) as database,
        database.writing() as connection,
    ):
        await connection.exec_driver_sql("DELETE FROM alembic_version")

        assert await database.revision() == schema.HEAD


async def test_a_locked_file_is_an_error_after_a_while(tmp_path: Path) -> None:
    path = tmp_path / "locked.db"
    url = f"sqlite:///{path}?timeout=0.05"
    async with await Database.open(url, upgrade=True) as database:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as failure:
            await Ledger(database).record([published()], (), at=NOON)
        holder.close()

    assert str(failure.value) == (
        f"database {path}: locked by another process for too long; try again later"
    )


async def test_a_file_of_another_kind_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, but long enough to be one. " * 100)
    before = path.read_bytes()

    with pytest.raises(StoreError) as failure:
        await Database.open(f"sqlite:///{path}", upgrade=True)

    assert str(failure.value) == (
        f"database {path}: the file is not an SQLite database; choose another file, or move it away"
    )
    assert path.read_bytes() == before


async def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cookies.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE cookies (name TEXT)")
    other.close()

    with pytest.raises(SchemaMismatch) as failure:
        await Database.open(f"sqlite:///{path}", upgrade=True)

    assert str(failure.value) == (
        f"database {path} holds the tables of another program; choose another file"
    )


async def test_a_file_of_another_program_that_uses_alembic_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "songs.db"
    make_file(path, "0002", "songs")
    before = path.read_bytes()

    with pytest.raises(SchemaMismatch, match="another program; choose another file"):
        await Database.open(f"sqlite:///{path}", upgrade=True)

    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["songs.db"]


async def test_a_revision_that_is_none_of_ours_is_another_programs(tmp_path: Path) -> None:
    path = tmp_path / "songs.db"
    make_file(path, "1975ea83b712", schema.OWN_TABLE)

    with pytest.raises(SchemaMismatch, match="another program; choose another file"):
        await Database.open(f"sqlite:///{path}", upgrade=True)


async def test_a_server_whose_schema_is_another_programs_is_refused(
    postgres_server: Postgres,
) -> None:
    url = postgres_server.url(postgres_server.create_database())
    async with Database(url) as database, database.writing() as connection:
        await connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        await connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('1975ea83b712')")

    with pytest.raises(SchemaMismatch, match="another program; choose another database"):
        await Database.open(url, upgrade=False)


def make_file(path: Path, revision: str, *tables: str) -> None:
    """Make a file as another program would that brings its schema up to date with Alembic."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE alembic_version (version_num TEXT)")
        other.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        for table in tables:
            other.execute(f"CREATE TABLE {table} (name TEXT)")
    other.close()


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as failure:
        await Database.open(f"sqlite:///{tmp_path}/nowhere/new.db", upgrade=True)

    assert str(failure.value) == (
        f"database {tmp_path}/nowhere/new.db: cannot be opened: "
        f"the folder {tmp_path}/nowhere does not exist"
    )


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened: it is a folder"):
        await Database.open(f"sqlite:///{tmp_path}", upgrade=True)


async def test_a_server_that_does_not_answer_is_one_line_without_the_password() -> None:
    url = f"postgresql://me:s3cret@127.0.0.1:{free_port()}/mine"

    with pytest.raises(StoreError) as failure:
        await Database.open(url, upgrade=False)

    message = str(failure.value)
    assert message.startswith("database mine at 127.0.0.1: connection failed: ")
    assert "Connection refused" in message
    assert "s3cret" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "mysql://me:s3cret@host/db",
            "unknown kind of database 'mysql'; write sqlite:///FILE or postgresql://USER@HOST/NAME",
        ),
        (
            "replicator.db",
            "unknown kind of database 'replicator.db'; "
            "write sqlite:///FILE or postgresql://USER@HOST/NAME",
        ),
        ("sqlite://", "an SQLite database needs a file: sqlite:///FILE"),
        ("sqlite://replicator.db", "an SQLite database needs a file: sqlite:///FILE"),
        ("sqlite:///:memory:", "an SQLite database needs a file: sqlite:///FILE"),
        (
            "postgresql://me:s3cret@host:port/db",
            "the URL of the postgresql database cannot be read; "
            "a password with special characters needs them percent-encoded",
        ),
    ],
)
def test_a_url_that_cannot_be_used_says_what_can(url: str, message: str) -> None:
    with pytest.raises(StoreError) as refusal:
        Database(url)

    assert str(refusal.value) == message


async def test_a_failed_query_gives_its_connection_back(database: Database) -> None:
    async def ask_nonsense() -> None:
        async with database.reading() as connection:
            await connection.exec_driver_sql("SELECT some FROM nowhere")

    for _ in range(50):
        with pytest.raises(StoreError, match="nowhere"):
            await ask_nonsense()
