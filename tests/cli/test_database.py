"""``replicate db``: the schema of the database."""

from __future__ import annotations

import sqlite3

import pytest


async def test_there_is_no_schema_before_there_is_a_database(replicate):
    done = await replicate("db", "current")

    assert (done.code, done.out) == (0, "there is no schema yet\n")
    assert list(replicate.folder.iterdir()) == []


async def test_an_upgrade_makes_the_database_and_tells_its_schema(replicate):
    upgraded = await replicate("db", "upgrade")
    current = await replicate("db", "current")

    assert upgraded.code == 0
    assert upgraded.out == current.out
    assert current.out.startswith("the schema is 0")


async def test_a_check_finds_a_table_that_is_gone(replicate):
    await replicate("db", "upgrade")
    good = await replicate("db", "check")
    with sqlite3.connect(replicate.folder / "replicator.db") as database:
        database.execute("DROP TABLE blob_location")

    bad = await replicate("db", "check")

    assert (good.code, good.out) == (0, "the database is as it should be\n")
    assert bad.code == 1
    assert "blob_location" in bad.out


async def test_a_check_of_a_database_that_is_not_there_says_what_to_do(replicate):
    done = await replicate("db", "check")

    assert done.code == 2
    assert "replicate db upgrade" in done.complaint


@pytest.mark.parametrize(
    "command",
    [
        ("db", "upgrade"),
        ("db", "current"),
        ("db", "check"),
        ("status",),
        ("runs", "list"),
        ("explain", "example.com/app:1"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("revision", [None, "1975ea83b712"])
async def test_a_database_that_is_none_of_ours_is_left_alone(replicate, command, revision):
    path = replicate.folder / "replicator.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE songs (id INTEGER)")
        if revision:
            database.execute("CREATE TABLE alembic_version (version_num TEXT)")
            database.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
    database.close()

    done = await replicate(*command)

    assert done.code == 2
    assert done.complaint.endswith("holds the tables of another program; choose another file")
    with sqlite3.connect(path) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    database.close()
    assert tables == {"songs", *(["alembic_version"] if revision else [])}


async def test_a_kind_of_database_that_there_is_not_is_a_usage_error(replicate):
    done = await replicate("--database", "mysql://root:secret@host/db", "db", "current")

    assert done.code == 2
    assert "mysql" in done.complaint
    assert "secret" not in done.err
