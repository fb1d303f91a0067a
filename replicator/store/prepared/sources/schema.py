"""What a file has of a schema."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import column, text

from replicator.store.prepared.sources.source import Source
from replicator.store.schema import VERSION_TABLE


def sources(dialect: str) -> Mapping[str, Source]:
    """Return the statements about the schema; a server is asked by other means."""
    if dialect != "sqlite":
        return {}
    tables = text(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'"
    )
    version = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608
    return {
        "TABLES": Source(tables.columns(column("name"))),
        "REVISION": Source(version.columns(column("version_num"))),
    }
