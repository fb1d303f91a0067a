"""Statements that are prepared: what SQLAlchemy would say, and values that both read alike."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    MetaData,
    Table,
    Text,
    create_engine,
    delete,
    insert,
    select,
)
from sqlalchemy.schema import CreateTable

from replicator.errors import StoreError
from replicator.store.database import Database
from replicator.store.prepared import preparing, statements
from replicator.store.prepared import statement as kinds
from replicator.store.prepared.sources import sources
from replicator.store.prepared.statement import Prepared
from replicator.store.tables import UtcDateTime
from tests.store.values import NOON

SAMPLE = Table(
    "sample",
    MetaData(),
    Column("key", Text, primary_key=True),
    Column("at", UtcDateTime),
    Column("document", JSON),
    Column("yes", Boolean),
)
KINDS = (("key", ""), ("at", kinds.MOMENT), ("document", kinds.JSON), ("yes", kinds.BOOLEAN))
ADD = Prepared("ADD", "INSERT INTO sample VALUES (?, ?, ?, ?)", (*KINDS[:3], ("yes", "")))
ALL = Prepared("ALL", "SELECT * FROM sample ORDER BY key", (), KINDS)
AMONG = Prepared(
    "AMONG",
    "SELECT key FROM sample WHERE key IN (__[POSTCOMPILE_keys]) AND yes = ?",
    (("keys", "list"), ("yes", "")),
    (("key", ""),),
)

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(
    min_value=datetime(1971, 1, 1), max_value=datetime(9000, 1, 1), timezones=ZONES
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries(
    {
        "key": st.just("one"),
        "at": st.none() | MOMENTS,
        "document": DOCUMENTS,
        "yes": st.none() | st.booleans(),
    }
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(f"sqlite:///{tmp_path}/some.db", upgrade=True) as database:
        async with database.writing() as connection:
            await connection.execute(CreateTable(SAMPLE))
        yield database


def test_what_is_written_is_what_sqlalchemy_makes_of_the_sources_now() -> None:
    anew: dict[str, object] = {}
    exec(preparing.written(), anew)  # noqa: S102

    assert set(sources("sqlite")) <= set(anew)
    assert anew["SCHEMA"] == statements.SCHEMA
    for name in sources("sqlite"):
        assert shown(getattr(statements, name)) == shown(anew[name]), "run `make prepared`"


def test_a_server_is_told_under_the_same_names() -> None:
    of_files = {"TABLES", "REVISION"}

    assert set(sources("postgresql")) == set(sources("sqlite")) - of_files


@given(row=ROWS)
def test_sqlalchemy_reads_what_was_written_without_it_and_the_other_way_round(row) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(CreateTable(SAMPLE))
        driver = connection.connection.driver_connection
        driver.execute(ADD.sql, ADD.bind(row))
        read = connection.execute(select(SAMPLE)).mappings().one()
        (mine,) = driver.execute(ALL.sql).fetchall()
        connection.execute(delete(SAMPLE))
        connection.execute(insert(SAMPLE), row)
        (theirs,) = driver.execute(ALL.sql).fetchall()

    assert dict(read) == row
    assert mine == theirs
    assert dict(zip(dict(KINDS), ALL.read(theirs), strict=True)) == row


async def test_a_list_has_as_many_members_as_it_has(database: Database) -> None:
    async with database.noting() as connection:
        await connection.execute(ADD, [a_row(key) for key in ("a", "b", "c")])

    for wanted in ([], ["b"], ["a", "c", "d"]):
        found = await database.ask(AMONG, {"keys": wanted, "yes": True})
        assert [row.key for row in found] == [key for key in wanted if key != "d"]


async def test_a_row_is_read_by_name_by_number_and_in_order(database: Database) -> None:
    async with database.noting() as connection:
        await connection.execute(ADD, a_row("a"))

    (row,) = await database.ask(ALL)

    assert (row.key, row[1], len(row)) == ("a", NOON, 4)
    key, at, document, yes = row
    assert (key, at, document, yes) == ("a", NOON, {"of": "a"}, True)
    with pytest.raises(AttributeError, match="other"):
        _ = row.other


async def test_an_error_inside_leaves_nothing_behind(database: Database) -> None:
    async def fail() -> None:
        async with database.noting() as connection:
            await connection.execute(ADD, a_row("a"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()

    assert list(await database.ask(ALL)) == []


async def test_who_asks_does_not_see_what_is_not_committed(database: Database) -> None:
    async with database.noting() as connection:
        await connection.execute(ADD, a_row("a"))
        assert list(await database.ask(ALL)) == []

    assert len(await database.ask(ALL)) == 1


async def test_both_ways_of_writing_take_turns(database: Database) -> None:
    async def prepared(key: str) -> None:
        async with database.noting() as connection:
            await connection.execute(ADD, a_row(key))

    async def by_alchemy(key: str) -> None:
        async with database.writing() as connection:
            await connection.execute(insert(SAMPLE), a_row(key))

    await asyncio.gather(
        *(way(f"{number}-{way.__name__}") for number in range(20) for way in (prepared, by_alchemy))
    )

    assert len(await database.ask(ALL)) == 40


async def test_a_file_that_another_process_locks_for_long_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    async with await Database.open(f"sqlite:///{path}?timeout=0.01", upgrade=True) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=f"database {path}: locked by another process"):
            async with database.noting():
                pass
        other.execute("ROLLBACK")
        other.close()

        async with database.noting():
            pass


async def test_a_transaction_that_the_end_of_the_database_interrupts_leaves_nothing_behind(
    database: Database, tmp_path: Path
) -> None:
    async def write() -> None:
        async with database.noting() as connection:
            await connection.execute(ADD, a_row("a"))
            await database.aclose()
            await connection.execute(ADD, a_row("b"))

    with pytest.raises(StoreError, match="is closed"):
        await write()

    assert rows_of(tmp_path / "some.db") == []


async def test_who_asks_a_database_that_is_closed_is_told(database: Database) -> None:
    await database.aclose()
    await database.aclose()

    with pytest.raises(StoreError, match=r"database .*some\.db is closed"):
        await database.ask(ALL)


async def test_a_close_of_which_the_wait_is_cancelled_closes_all_the_same(
    database: Database, tmp_path: Path
) -> None:
    async with database.noting() as connection:
        await connection.execute(ADD, a_row("a"))
    await database.ask(ALL)

    end = asyncio.create_task(database.aclose())
    await asyncio.sleep(0)
    end.cancel()
    with pytest.raises(asyncio.CancelledError):
        await end
    await database.aclose()

    # The last connection that is closed takes what is beside the file with it.
    assert os.listdir(tmp_path) == ["some.db"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "needs a file: sqlite:///FILE"),
        ("sqlite://host/file.db", "needs a file: sqlite:///FILE"),
        ("sqlite:///:memory:", "needs a file: sqlite:///FILE"),
        ("sqlite:///file.db?timeout=soon", "timeout='soon' is not a number of seconds"),
        ("sqlite:///file.db?timeout=nan", "timeout='nan' is not a number of seconds"),
        ("sqlite:///file.db?timeout=1e12", "timeout='1e12' is not a number of seconds"),
        ("sqlite:///file.db?timeout=-1", "timeout='-1' is not a number of seconds"),
        ("sqlite:///file.db?mode=ro", "no parameter 'mode'"),
        ("mysql://host/name", "unknown kind of database 'mysql'"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=re.escape(message)):
        Database(url)


def rows_of(path: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(path)) as other:
        return other.execute("SELECT key FROM sample ORDER BY key").fetchall()


def a_row(key: str) -> dict[str, object]:
    return {"key": key, "at": NOON, "document": {"of": key}, "yes": True}


def shown(statement: Prepared) -> tuple[object, ...]:
    return tuple(getattr(statement, name) for name in Prepared.__slots__)
