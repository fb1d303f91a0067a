"""What a service needs: runs that wait for it, the due times of schedules, and who serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
OLD_STATES = ("running", "succeeded", "partial", "failed", "cancelled", "empty")
NEW_STATES = ("queued", *OLD_STATES)


def upgrade() -> None:
    with op.batch_alter_table("run", table_kwargs={"sqlite_autoincrement": True}) as run:
        run.add_column(sa.Column("queued_at", TIME))
        run.add_column(sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"))
        run.add_column(sa.Column("cancel_at", TIME))
        run.add_column(sa.Column("only", sa.JSON()))
        _replace_checks(run, NEW_STATES, "state IN ('queued', 'running')")
    op.create_table(
        "rule_fire",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("fire_at", TIME, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("run", sa.Text()),
        sa.Column("coalesced", sa.Integer(), nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("rule", "fire_at", name="pk_rule_fire"),
        sa.CheckConstraint(
            _one_of("outcome", ("run", "skipped_overlap")), name=op.f("ck_rule_fire_outcome")
        ),
        sa.CheckConstraint("(run IS NOT NULL) = (outcome = 'run')", name=op.f("ck_rule_fire_run")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rule_clock",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("settled_until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("rule", name="pk_rule_clock"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "service",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("owner", name="pk_service"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for table in ("service", "rule_clock", "rule_fire"):
        op.drop_table(table)
    # Queued runs are nothing that the older program knows.
    op.execute("DELETE FROM run WHERE state = 'queued'")
    with op.batch_alter_table("run", table_kwargs={"sqlite_autoincrement": True}) as run:
        for column in ("only", "cancel_at", "attempt", "queued_at"):
            run.drop_column(column)
        _replace_checks(run, OLD_STATES, "state = 'running'")


def _replace_checks(run: Any, states: Sequence[str], unfinished: str) -> None:
    for name in ("ck_run_state", "ck_run_finished"):
        run.drop_constraint(op.f(name), type_="check")
    run.create_check_constraint(op.f("ck_run_state"), _one_of("state", states))
    run.create_check_constraint(op.f("ck_run_finished"), f"(finished_at IS NULL) = ({unfinished})")


def _one_of(column: str, values: Sequence[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"
