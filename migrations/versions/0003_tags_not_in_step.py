"""Tags that are not simply in step: failing, missing at the source, refused by their content."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "failing_tag",
        *_key(),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("failed_at", TIME, nullable=False),
        sa.Column("next_try_at", TIME, nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "registry", "repository", "tag", name="pk_failing_tag"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "missing_tag",
        *_key(),
        sa.Column("since", TIME, nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "registry", "repository", "tag", name="pk_missing_tag"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refused_tag",
        *_key(),
        sa.Column("source_digest", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "registry", "repository", "tag", name="pk_refused_tag"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("refused_tag", "missing_tag", "failing_tag"):
        op.drop_table(table)


def _key() -> tuple[sa.Column[str], ...]:
    names = ("rule", "registry", "repository", "tag")
    return tuple(sa.Column(name, sa.Text(), nullable=False) for name in names)
