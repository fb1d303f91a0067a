"""Which services carry out runs, and what is left of limits on pulls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "service", sa.Column("works", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.create_table(
        "pull_budget",
        sa.Column("registry", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("registry", "source", name="pk_pull_budget"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("pull_budget")
    op.drop_column("service", "works")
