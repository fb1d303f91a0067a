"""Published tags by their digests, for whoever asks where content is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_differs_at_source = sa.text("source_digest != digest")


def upgrade() -> None:
    op.create_index("ix_published_tag_digest", "published_tag", ["digest"])
    op.create_index(
        "ix_published_tag_source_digest",
        "published_tag",
        ["source_digest"],
        sqlite_where=_differs_at_source,
        postgresql_where=_differs_at_source,
    )


def downgrade() -> None:
    op.drop_index("ix_published_tag_source_digest", "published_tag")
    op.drop_index("ix_published_tag_digest", "published_tag")
