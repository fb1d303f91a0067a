"""The table of items: the pieces of a served run that workers share."""

from __future__ import annotations

import enum
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    and_,
)

from replicator.store.tables import Number, UtcDateTime, metadata


class ItemKind(enum.StrEnum):
    """LISTING finds the repositories of a run, COPYING brings some of them, or some tags of one,
    to their destinations, and CLOSING sums up and ends the run."""

    LISTING = "listing"
    COPYING = "copying"
    CLOSING = "closing"


class ItemState(enum.StrEnum):
    """WAITING may be taken up, DEFERRED only when it is due, RUNNING is somebody's."""

    WAITING = "waiting"
    DEFERRED = "deferred"
    RUNNING = "running"
    DONE = "done"


def _one_of(column: str, values: type[enum.StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


# Work, not history: the items of a run go when it ends. *attempt* is the fencing token, which only
# grows; *losses* is how many owners were lost over it. *turn* makes rules take turns, see items.
item = Table(
    "item",
    metadata,
    Column("run", Number, ForeignKey("run.number", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("repositories", JSON, nullable=False),
    # Of the only repository, with their digests where they are known; None is what is selected.
    Column("tags", JSON(none_as_null=True)),
    # A person's run before a scheduled one, the lower number first.
    Column("priority", Integer, nullable=False),
    Column("turn", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("leased_until", UtcDateTime),
    Column("due_at", UtcDateTime),
    Column("queued_at", UtcDateTime, nullable=False),
    # When a message about it was last sent.
    Column("sent_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    # What its last attempt came to.
    Column("summary", JSON(none_as_null=True)),
    _one_of("kind", ItemKind),
    _one_of("state", ItemState),
    CheckConstraint("(owner <> '') = (state = 'running')", name="owner"),
    CheckConstraint("(leased_until IS NOT NULL) = (state = 'running')", name="lease"),
    CheckConstraint("(due_at IS NOT NULL) = (state = 'deferred')", name="due"),
    sqlite_with_rowid=False,
)

# An item that ended so many processes has to be looked at by a person. What was lost but once less
# often is tried for the last time, apart from others like it.
MOST_LOSSES: Final = 3
is_last_try: Final = item.c.losses > MOST_LOSSES - 2

_ORDER: Final = tuple(item.c[name] for name in ("priority", "turn", "run", "n"))
_PARTIAL: Final = {
    Index("ix_item_next", *_ORDER): item.c.state == "waiting",
    Index("ix_item_last_try", *_ORDER): and_(item.c.state == "waiting", is_last_try),
    Index("ix_item_due", item.c.due_at): item.c.state == "deferred",
    Index("ix_item_owner", item.c.owner): item.c.state == "running",
    Index("ix_item_unfinished", item.c.run): item.c.state != "done",
}
for _index, _condition in _PARTIAL.items():
    _index.dialect_kwargs["sqlite_where"] = _condition


def complete_for_postgresql() -> None:
    """Say what only PostgreSQL wants to know of the indexes; see tables."""
    for index, condition in _PARTIAL.items():
        index.dialect_kwargs["postgresql_where"] = condition
