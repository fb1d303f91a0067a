"""The first tables: registries, rules, runs with their actions, and the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "registry",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_registry"),
    )
    op.create_table(
        "rule",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_rule"),
        sa.CheckConstraint("origin IN ('file', 'api')", name=op.f("ck_rule_origin")),
    )
    op.create_table(
        "run",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.JSON(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("leased_until", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("counts", sa.JSON(), nullable=False),
        _bytes("bytes_moved"),
        _bytes("bytes_mounted"),
        _bytes("bytes_skipped"),
        sa.Column("requests", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_run"),
        sa.CheckConstraint(
            "state IN ('running', 'succeeded', 'partial', 'failed', 'cancelled', 'empty')",
            name=op.f("ck_run_state"),
        ),
        sa.CheckConstraint(
            "(finished_at IS NULL) = (state = 'running')", name=op.f("ck_run_finished")
        ),
        sa.UniqueConstraint("id", name="uq_run_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_rule_number", "run", ["rule", "number"])
    op.create_index(
        "uq_run_active",
        "run",
        ["rule"],
        unique=True,
        postgresql_where=sa.text("finished_at IS NULL"),
        sqlite_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "action",
        sa.Column("run", NUMBER, nullable=False),
        sa.Column("registry", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_digest", sa.Text()),
        sa.Column("digest", sa.Text()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error_kind", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("error_side", sa.Text()),
        sa.Column("error_status", sa.Integer()),
        sa.Column("error_code", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _bytes("bytes_moved"),
        _bytes("bytes_mounted"),
        _bytes("bytes_skipped"),
        sa.PrimaryKeyConstraint("run", "registry", "repository", "tag", name="pk_action"),
        sa.CheckConstraint(
            "decision IN ('copy', 'skip', 'conflict', 'blocked', 'prune')",
            name=op.f("ck_action_decision"),
        ),
        sa.CheckConstraint(
            "outcome IN ('pending', 'written', 'unchanged', 'failed')",
            name=op.f("ck_action_outcome"),
        ),
        sa.CheckConstraint(
            "(error_kind IS NOT NULL) = (outcome = 'failed')", name=op.f("ck_action_error")
        ),
        sa.ForeignKeyConstraint(
            ["run"], ["run.number"], name="fk_action_run_run", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "published_tag",
        sa.Column("registry", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_digest", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("published_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=False),
        sa.Column("referrers_at", TIME),
        sa.PrimaryKeyConstraint("registry", "repository", "tag", name="pk_published_tag"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "blob_location",
        sa.Column("registry", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("registry", "digest", "repository", name="pk_blob_location"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("blob_location", "published_tag", "action", "run", "rule", "registry"):
        op.drop_table(table)


def _bytes(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)
