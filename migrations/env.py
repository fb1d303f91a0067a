"""Alembic's environment: the migrations run on the connection that `replicate db` hands over.

To write a new one: `alembic -x database=sqlite:///old.db revision --autogenerate -m …`
compares a database at the previous revision with the tables of the program.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, create_engine

from replicator.store import (  # noqa: F401  # they register with the metadata
    operating_tables,
    work_tables,
)
from replicator.store.tables import UtcDateTime, metadata


def main() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    with create_engine(context.get_x_argument(as_dictionary=True)["database"]).connect() as own:
        migrate(own)


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        # SQLite changes most of a table's definition only by making the table anew.
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render_time,
    )
    with context.begin_transaction():
        context.run_migrations()


def render_time(kind: str, item: Any, _: object) -> str | Literal[False]:
    """Write times into new migrations without our own type, which may change after them."""
    return "sa.DateTime(timezone=True)" if isinstance(item, UtcDateTime) else False


main()
