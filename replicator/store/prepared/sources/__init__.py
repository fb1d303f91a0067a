"""Prepared statements as SQLAlchemy knows them, by name, for one kind of database."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from replicator.store.prepared.sources import (
    ledger,
    notes,
    registries,
    rules,
    runs,
    schema,
    uploads,
)
from replicator.store.prepared.sources.source import Source


@cache
def sources(dialect: str) -> Mapping[str, Source]:
    """Return all statements for ``sqlite`` or ``postgresql``."""
    return {
        name: source
        for subject in (schema, rules, runs, notes, ledger, registries, uploads)
        for name, source in subject.sources(dialect).items()
    }
