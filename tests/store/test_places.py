"""Where content is: found, and found without reading the whole ledger."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql, sqlite

from replicator.oci.digest import Digest
from replicator.oci.reference import Tag
from replicator.store.database import Database
from replicator.store.ledger import Ledger
from replicator.store.places import Places, tags_with
from replicator.store.tables import published_tag
from tests.store.values import NOON, published

WANTED, OTHER = Digest.of(b"wanted"), Digest.of(b"other")


def row(tag: str, *, source: Digest, here: Digest):
    return replace(published(), tag=Tag(tag), source_digest=source, digest=here)


async def test_tags_are_found_by_either_digest_each_once_and_in_order(database: Database) -> None:
    rows = [
        row("same", source=WANTED, here=WANTED),
        row("cut-down", source=WANTED, here=OTHER),
        row("made", source=OTHER, here=WANTED),
        row("another", source=OTHER, here=OTHER),
    ]
    await Ledger(database).record(rows, (), at=NOON)

    found = await Places(database).tags_of(WANTED, limit=10)
    first = await Places(database).tags_of(WANTED, limit=2)

    assert [str(each.tag) for each in found] == ["cut-down", "made", "same"]
    assert first == found[:2]


async def test_whoever_may_see_some_rules_is_shown_theirs_however_many_others_there_are(
    database: Database,
) -> None:
    rows = [replace(row(f"a{n}", source=WANTED, here=WANTED), rule="hidden") for n in range(5)]
    mine = replace(row("z", source=WANTED, here=WANTED), rule="mine")
    await Ledger(database).record([*rows, mine], (), at=NOON)

    found = await Places(database).tags_of(WANTED, limit=2, covers=lambda rule: rule == "mine")

    assert [str(each.tag) for each in found] == ["z"]


async def plan(database: Database, query) -> str:
    """Return how the database would carry out a query on a table of 20,000 rows."""
    async with database.writing() as connection:
        first = (
            await connection.execute(select(published_tag).order_by(published_tag.c.tag).limit(1))
        ).one()
        digests = [f"sha256:{number:064}" for number in range(20_000)]
        many = [
            first._asdict() | {"tag": f"v{number}", "digest": digest, "source_digest": digest}
            for number, digest in enumerate(digests)
        ]
        await connection.execute(published_tag.insert(), many)
        await connection.exec_driver_sql("ANALYZE published_tag")
        dialect = {"sqlite": sqlite, "postgresql": postgresql}[connection.dialect.name].dialect()
        written = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        explain = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}
        steps = await connection.execute(text(f"{explain[connection.dialect.name]} {written}"))
        return "\n".join(str(step[-1]) for step in steps)


async def test_tags_are_looked_up_by_their_digests_and_not_searched_for(
    database: Database,
) -> None:
    await Ledger(database).record([row("0", source=OTHER, here=WANTED)], (), at=NOON)

    steps = await plan(database, tags_with(WANTED, 100))

    assert "ix_published_tag_digest" in steps
    assert "ix_published_tag_source_digest" in steps
    assert "SCAN published_tag" not in steps
    assert "Seq Scan" not in steps
