"""Rules, and the audit of what is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, text, update

from replicator.store.operating_tables import audit
from replicator.store.prepared.sources.source import Source, row_of
from replicator.store.tables import rule

# Any number that nothing else in the database locks.
_AUDIT_LOCK: Final = 7_204_116_302


def sources(dialect: str) -> Mapping[str, Source]:
    """Return the statements about rules."""
    return {
        "ALL_RULES": Source(select(rule).order_by(rule.c.name)),
        "RULE": Source(select(rule).where(rule.c.name == bindparam("of_name"))),
        "ADD_RULE": Source(insert(rule), row_of(rule)),
        "CHANGE_RULE": Source(
            update(rule).where(rule.c.name == bindparam("of_name")), row_of(rule)
        ),
        "REMOVE_RULE": Source(delete(rule).where(rule.c.name == bindparam("of_name"))),
        "LAST_HASH": Source(select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)),
        "ADD_TO_AUDIT": Source(insert(audit), row_of(audit, without=["id"])),
        **_of_servers(dialect),
    }


def _of_servers(dialect: str) -> Mapping[str, Source]:
    """Return what keeps others out, and what tells them; SQLite lets one write at a time."""
    if dialect == "sqlite":
        return dict.fromkeys(("LOCK_RULES", "LOCK_AUDIT", "TELL"), Source(None))
    return {
        # Nor locks any: who decides about many and who changes many never wait in a circle.
        "LOCK_RULES": Source(text("LOCK TABLE rule IN EXCLUSIVE MODE")),
        "LOCK_AUDIT": Source(text(f"SELECT pg_advisory_xact_lock({_AUDIT_LOCK})")),
        "TELL": Source(text("SELECT pg_notify('replicator', :what)")),
    }
