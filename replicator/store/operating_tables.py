"""Tables of what surrounds rules and runs: who may ask, what registries are like, who was told.

Only a service needs them; whoever copies from a shell never loads this.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from replicator.store.tables import Number, UtcDateTime, metadata

# What was found out about a registry by asking it, and when.
registry_facts = Table(
    "registry_facts",
    metadata,
    Column("registry", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("probed_at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)

# Uploads that are not finished, so that another process can go on with them. *offset* is what
# the registry confirmed. *location* may carry a right to write: it is shown to nobody.
upload_session = Table(
    "upload_session",
    metadata,
    Column("registry", Text, primary_key=True),
    Column("repository", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("location", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("owner", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)

# Secrets are sealed for this row and host alone; one that was cleared has to be set again.
credential = Table(
    "credential",
    metadata,
    Column("name", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("key_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# Only a keyed hash of a token is kept. *patterns* are globs of rule names; None is all rules.
api_token = Table(
    "api_token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("role", Text, nullable=False),
    Column("patterns", JSON),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("used_at", UtcDateTime),
    UniqueConstraint("name"),
    UniqueConstraint("hash"),
)

# A session of a person at the page; its key is a hash of what the browser holds. *token* is the
# name of the one it was opened with, and it counts no longer than that.
page_session = Table(
    "page_session",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("patterns", JSON),
    Column("csrf", Text, nullable=False),
    Column("token", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# Who changed what, when and from where; each row carries the hash of the one before.
audit = Table(
    "audit",
    metadata,
    Column("id", Number, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("old", JSON),
    Column("new", JSON),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index(None, "kind", "name"),
    sqlite_autoincrement=True,
)

# The answer to a request that may be repeated; forgotten after a day.
idempotent_answer = Table(
    "idempotent_answer",
    metadata,
    Column("key", Text, primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)

# What is known to whom: over a channel, of a rule, on one topic. *told* is the last state that
# arrived there, *pending* what is still to be told, *run* the newest that counted.
notification = Table(
    "notification",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("told", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("run", Number, nullable=False),
    Column("told_at", UtcDateTime),
    Column("pending", JSON),
    Column("is_pending", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", UtcDateTime, nullable=False),
    Column("error", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Repositories of a rule of which a registry said that something changed. *run* is the one that
# compares them; a mark stays until such a run was good.
dirty_repository = Table(
    "dirty_repository",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("registry", Text, primary_key=True),
    Column("repository", Text, primary_key=True),
    Column("marked_at", UtcDateTime, nullable=False),
    Column("run", Text),
    Column("failures", Integer, nullable=False),
    Column("next_try_at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)

# What was last said to be left of a limit on pulls, by the address or account that it is counted
# for, as the registry names it.
pull_budget = Table(
    "pull_budget",
    metadata,
    Column("registry", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("remaining", Integer, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
    sqlite_with_rowid=False,
)

# What runs that were made in one hour (UTC, as their ids begin: 20260314-03) asked registries,
# added up when none of them is unfinished any more.
request_sum = Table(
    "request_sum",
    metadata,
    Column("hour", Text, primary_key=True),
    Column("registry", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

TABLES: Final = (
    registry_facts,
    upload_session,
    pull_budget,
    credential,
    api_token,
    page_session,
    audit,
    idempotent_answer,
    notification,
    dirty_repository,
    request_sum,
)
