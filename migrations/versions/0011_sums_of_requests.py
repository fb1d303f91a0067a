"""Requests of runs by the hour, added up once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "request_sum",
        sa.Column("hour", sa.Text(), nullable=False),
        sa.Column("registry", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "registry", "kind", name="pk_request_sum"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("request_sum")
