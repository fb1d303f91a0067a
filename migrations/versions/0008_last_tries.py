"""Items that were lost so often that the next loss is the last are found by themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0012"
branch_labels = None
depends_on = None

_is_last_try = sa.text("state = 'waiting' AND losses > 1")


def upgrade() -> None:
    op.create_index(
        "ix_item_last_try",
        "item",
        ["priority", "turn", "run", "n"],
        sqlite_where=_is_last_try,
        postgresql_where=_is_last_try,
    )


def downgrade() -> None:
    op.drop_index("ix_item_last_try", "item")
