"""Items that workers share, and on PostgreSQL the carrier of messages about them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CARRIER = Path(__file__).parents[1] / "procrastinate.sql"
CHECKS = {
    "ck_run_state": "state IN ('queued', 'running', 'succeeded', 'partial', 'failed', "
    "'cancelled', 'empty')",
    "ck_run_finished": "(finished_at IS NULL) = (state IN ('queued', 'running'))",
}


def upgrade() -> None:
    # SQLite writes an added column after the constraints unless it makes the table anew.
    recreate: Literal["always", "never"] = (
        "always" if op.get_bind().dialect.name == "sqlite" else "never"
    )
    options = {"sqlite_autoincrement": True}
    with op.batch_alter_table("run", recreate=recreate, table_kwargs=options) as run:
        run.add_column(
            sa.Column("retry", sa.Boolean(), nullable=False, server_default=sa.text("false"))
        )
        # In the order in which a table that is made on the spot has them.
        for name, condition in CHECKS.items():
            run.drop_constraint(op.f(name), type_="check")
            run.create_check_constraint(op.f(name), condition)
    _items()
    _listings_of_unfinished_runs()
    if op.get_bind().dialect.name == "postgresql":
        # No parameters, so percent signs stay as they are.
        op.get_bind().exec_driver_sql(CARRIER.read_text("utf-8").replace("%", "%%"))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _remove_carrier()
    op.drop_table("item")
    with op.batch_alter_table("run", table_kwargs={"sqlite_autoincrement": True}) as run:
        run.drop_column("retry")


def _items() -> None:
    op.create_table(
        "item",
        sa.Column("run", NUMBER, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("repositories", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON()),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("leased_until", TIME),
        sa.Column("due_at", TIME),
        sa.Column("queued_at", TIME, nullable=False),
        sa.Column("sent_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("summary", sa.JSON()),
        sa.PrimaryKeyConstraint("run", "n", name="pk_item"),
        sa.CheckConstraint("kind IN ('listing', 'copying', 'closing')", name=op.f("ck_item_kind")),
        sa.CheckConstraint(
            "state IN ('waiting', 'deferred', 'running', 'done')", name=op.f("ck_item_state")
        ),
        sa.CheckConstraint("(owner <> '') = (state = 'running')", name=op.f("ck_item_owner")),
        sa.CheckConstraint(
            "(leased_until IS NOT NULL) = (state = 'running')", name=op.f("ck_item_lease")
        ),
        sa.CheckConstraint("(due_at IS NOT NULL) = (state = 'deferred')", name=op.f("ck_item_due")),
        sa.ForeignKeyConstraint(
            ["run"], ["run.number"], name="fk_item_run_run", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    for name, columns, condition in (
        ("ix_item_next", ["priority", "turn", "run", "n"], "state = 'waiting'"),
        ("ix_item_due", ["due_at"], "state = 'deferred'"),
        ("ix_item_owner", ["owner"], "state = 'running'"),
        ("ix_item_unfinished", ["run"], "state != 'done'"),
    ):
        where = sa.text(condition)
        op.create_index(name, "item", columns, sqlite_where=where, postgresql_where=where)


def _listings_of_unfinished_runs() -> None:
    """Let runs that wait for a service, or are one's, go on with the new program."""
    op.execute(
        "INSERT INTO item (run, n, kind, rule, repositories, priority, turn, state, owner, "
        "attempt, losses, queued_at, sent_at) "
        "SELECT number, 0, 'listing', rule, '[]', CASE WHEN trigger = 'schedule' THEN 1 ELSE 0 "
        "END, 0, 'waiting', '', 0, 0, queued_at, queued_at "
        "FROM run WHERE finished_at IS NULL AND queued_at IS NOT NULL"
    )
    op.execute(
        "UPDATE run SET state = 'queued', owner = '' "
        "WHERE finished_at IS NULL AND queued_at IS NOT NULL"
    )


def _remove_carrier() -> None:
    """Remove all that the carrier's schema made; its names all begin alike."""
    for table in ("periodic_defers", "events", "jobs", "workers"):
        op.execute(f"DROP TABLE procrastinate_{table} CASCADE")
    op.execute(
        """
        DO $$
        DECLARE made record;
        BEGIN
            FOR made IN SELECT oid::regprocedure AS name FROM pg_proc
                WHERE proname LIKE 'procrastinate_%' AND pronamespace = current_schema::regnamespace
            LOOP EXECUTE 'DROP FUNCTION ' || made.name || ' CASCADE'; END LOOP;
            DROP TYPE procrastinate_job_to_defer_v1;
            DROP TYPE procrastinate_job_event_type;
            DROP TYPE procrastinate_job_status;
        END $$
        """
    )
