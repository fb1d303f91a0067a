"""Notes on tags that are not simply in step."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Table, bindparam, delete, select, union

from replicator.store.prepared.sources.source import Source, row_of
from replicator.store.tables import failing_tag, missing_tag, refused_tag
from replicator.store.upsert import upsert_into

_TABLES = {"FAILING": failing_tag, "MISSING": missing_tag, "REFUSED": refused_tag}


def sources(dialect: str) -> Mapping[str, Source]:
    """Return the statements about the three kinds of notes."""
    # Most rules have none of any kind, and all three are asked about with one statement.
    having_any = union(
        *(
            select(table.c.rule).where(table.c.rule.in_(bindparam("rules", expanding=True)))
            for table in _TABLES.values()
        )
    )
    columns = failing_tag.c
    failing = select(failing_tag).order_by(
        columns.rule, columns.registry, columns.repository, columns.tag
    )
    return {
        "RULES_WITH_NOTES": Source(having_any),
        "ALL_FAILING": Source(failing),
        **{
            key: source
            for name, table in _TABLES.items()
            for key, source in _of_kind(dialect, name, table).items()
        },
    }


def _of_kind(dialect: str, name: str, table: Table) -> Mapping[str, Source]:
    columns = table.c
    forget = delete(table).where(
        columns.rule == bindparam("of_rule"),
        columns.registry == bindparam("at_registry"),
        columns.repository == bindparam("in_repository"),
        columns.tag == bindparam("of_tag"),
    )
    return {
        f"{name}_OF_RULE": Source(select(table).where(columns.rule == bindparam("of_rule"))),
        f"NOTE_{name}": Source(upsert_into(dialect, table), row_of(table)),
        f"FORGET_{name}": Source(forget),
    }
