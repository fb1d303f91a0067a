"""The tables, their constraints, and the type of their times."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
    true,
)

from replicator.planning.plan import Decision
from replicator.planning.rule import Origin
from replicator.store.records import FireOutcome, Outcome, RunState

# Named constraints, so that every migration can name what it changes.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. A time without a zone is refused going in; UTC comes out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the time {value} has no zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        # SQLite keeps no zone: what went in was UTC.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Number = BigInteger().with_variant(Integer(), "sqlite")


def _one_of(column: str, values: type[enum.StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


# The columns of bytes by how they came to be at the destination.
BYTES: Final = ("bytes_moved", "bytes_mounted", "bytes_skipped")


def _bytes(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


registry = Table(
    "registry",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

rule = Table(
    "rule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("origin", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    # All of the rule; the other columns are what queries need.
    Column("definition", JSON, nullable=False),
    _one_of("origin", Origin),
)

run = Table(
    "run",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", Text, nullable=False),
    # No foreign key: history outlives the rule.
    Column("rule", Text, nullable=False),
    Column("snapshot", JSON, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("leased_until", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("counts", JSON, nullable=False),
    *map(_bytes, BYTES),
    Column("requests", JSON, nullable=False),
    Column("error", Text, nullable=False),
    # Of a run that a service carries out: it is taken up again when its process is lost.
    Column("queued_at", UtcDateTime),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("cancel_at", UtcDateTime),
    # The source tags that it is limited to.
    Column("only", JSON),
    # Whether tags that failed before are tried at once.
    Column("retry", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("id"),
    _one_of("state", RunState),
    CheckConstraint("(finished_at IS NULL) = (state IN ('queued', 'running'))", name="finished"),
    Index(None, "rule", "number"),
    # A number is never used twice, also when the newest runs were deleted.
    sqlite_autoincrement=True,
)

# A rule has at most one run under way.
_is_active = run.c.finished_at.is_(None)
_one_active = Index("uq_run_active", run.c.rule, unique=True, sqlite_where=_is_active)


def complete_for_postgresql() -> None:
    """Say what only PostgreSQL wants to know of the tables.

    It makes SQLAlchemy load all that it knows of PostgreSQL, which costs those 0.04 s who have
    their database in a file.
    """
    _one_active.dialect_kwargs["postgresql_where"] = _is_active
    _by_source_digest.dialect_kwargs["postgresql_where"] = differs_at_source


# What became of each due time; history, as runs are.
rule_fire = Table(
    "rule_fire",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("fire_at", UtcDateTime, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("run", Text),
    # How many earlier due times are settled with this one.
    Column("coalesced", Integer, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    _one_of("outcome", FireOutcome),
    CheckConstraint("(run IS NOT NULL) = (outcome = 'run')", name="run"),
    sqlite_with_rowid=False,
)

# Since when a schedule counts, and up to when its due times are settled.
rule_clock = Table(
    "rule_clock",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("settled_until", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)

# The services that use this database; who is not seen for long is gone.
service = Table(
    "service",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    # Whether it carries out runs; they share what registries allow.
    Column("works", Boolean, nullable=False, server_default=true()),
    sqlite_with_rowid=False,
)

action = Table(
    "action",
    metadata,
    Column("run", Number, ForeignKey("run.number", ondelete="CASCADE"), primary_key=True),
    Column("registry", Text, primary_key=True),
    Column("repository", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("source_digest", Text),
    Column("digest", Text),
    Column("outcome", Text, nullable=False),
    Column("error_kind", Text),
    Column("error_message", Text),
    Column("error_side", Text),
    Column("error_status", Integer),
    Column("error_code", Text),
    Column("attempts", Integer, nullable=False),
    *map(_bytes, BYTES),
    _one_of("decision", Decision),
    _one_of("outcome", Outcome),
    CheckConstraint("(error_kind IS NOT NULL) = (outcome = 'failed')", name="error"),
    sqlite_with_rowid=False,
)

published_tag = Table(
    "published_tag",
    metadata,
    Column("registry", Text, primary_key=True),
    Column("repository", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("source_digest", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    Column("confirmed_at", UtcDateTime, nullable=False),
    Column("referrers_at", UtcDateTime),
    Index(None, "digest"),
    sqlite_with_rowid=False,
)

# Of the few images that are not at the destination what they are at the source.
differs_at_source = published_tag.c.source_digest != published_tag.c.digest
_by_source_digest = Index(
    "ix_published_tag_source_digest", published_tag.c.source_digest, sqlite_where=differs_at_source
)

blob_location = Table(
    "blob_location",
    metadata,
    # The question is always who holds a digest, so it comes before the repository.
    Column("registry", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("repository", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("confirmed_at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)


def _tag_of_rule() -> tuple[Column[str], ...]:
    """Return the key of what is noted of a destination tag; the question is always of a rule."""
    names = ("rule", "registry", "repository", "tag")
    return tuple(Column(name, Text, primary_key=True) for name in names)


failing_tag = Table(
    "failing_tag",
    metadata,
    *_tag_of_rule(),
    Column("source", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("failed_at", UtcDateTime, nullable=False),
    Column("next_try_at", UtcDateTime, nullable=False),
    Column("run", Text, nullable=False),
    sqlite_with_rowid=False,
)

missing_tag = Table(
    "missing_tag",
    metadata,
    *_tag_of_rule(),
    Column("since", UtcDateTime, nullable=False),
    Column("run", Text, nullable=False),
    sqlite_with_rowid=False,
)

refused_tag = Table(
    "refused_tag",
    metadata,
    *_tag_of_rule(),
    Column("source_digest", Text, nullable=False),
    # What the rule said of content then; another rule is another question.
    Column("wanted", Text, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)
