"""A recall is completed or withdrawn, a hold lifted, a drill ended; and what everyone had of a lot when it was stopped.

Recalls that had ended before count as completed: whether one was carried out or wrong was not said then, and a lot that
is stopped without need does less harm than one that is sold. Who knows better has the regulator issue it anew.
"""

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

STATUSES = ("pending", "active", "completed", "withdrawn", "lifted", "ended", "rejected")
STATUSES_BEFORE = ("pending", "active", "ended", "rejected")
NOTICES = ("issue", "approve", "reject", "extend", "narrow", "correct", "complete", "withdraw", "lift", "end")
NOTICES_BEFORE = ("issue", "approve", "reject", "extend", "narrow", "correct", "end")
END_OF_KIND = (
    "(kind = 'recall' AND status IN ('pending', 'active', 'completed', 'withdrawn', 'rejected'))"
    " OR (kind = 'hold' AND status IN ('active', 'lifted'))"
    " OR (kind = 'drill' AND status IN ('pending', 'active', 'ended'))"
)
KEPT = (AppendOnly("recall_notices"),)
ADDED = (AppendOnly("recall_task_lots"),)
STOPPED_AGAIN = (
    "SELECT m.batch_id FROM recall_batches m JOIN recalls r ON r.id = m.recall_id"
    " WHERE m.removed_in IS NULL AND r.kind = 'recall' AND r.status = 'completed'"
)


def upgrade() -> None:
    let_go(op.get_bind(), KEPT)
    with op.batch_alter_table("recalls") as table:
        table.drop_constraint(op.f("ck_recalls_status"), type_="check")
        table.alter_column("status", existing_type=sa.String(8), type_=sa.String(9), existing_nullable=False)
    op.execute(
        "UPDATE recalls SET status = CASE kind WHEN 'recall' THEN 'completed' WHEN 'hold' THEN 'lifted' ELSE status END"
        " WHERE status = 'ended'"
    )
    op.execute(
        "UPDATE recalls SET ended_at = coalesce((SELECT max(n.issued_at) FROM recall_notices n"
        " WHERE n.recall_id = recalls.id), issued_at) WHERE ended_at IS NULL AND status NOT IN ('pending', 'active')"
    )
    with op.batch_alter_table("recalls") as table:
        table.create_check_constraint(op.f("ck_recalls_status"), _one_of("status", STATUSES))
        table.create_check_constraint(op.f("ck_recalls_end"), END_OF_KIND)
        table.create_check_constraint(
            op.f("ck_recalls_ended_at"), "(status IN ('pending', 'active')) = (ended_at IS NULL)"
        )
    with op.batch_alter_table("recall_notices") as table:
        table.drop_constraint(op.f("ck_recall_notices_type"), type_="check")
        table.alter_column("type", existing_type=sa.String(7), type_=sa.String(8), existing_nullable=False)
    op.execute(
        "UPDATE recall_notices SET type = (SELECT CASE kind WHEN 'recall' THEN 'complete' WHEN 'hold' THEN 'lift'"
        " ELSE 'end' END FROM recalls WHERE recalls.id = recall_notices.recall_id) WHERE type = 'end'"
    )
    with op.batch_alter_table("recall_notices") as table:
        table.create_check_constraint(op.f("ck_recall_notices_type"), _one_of("type", NOTICES))
    # Their pages said otherwise, and no notice tells that they have changed.
    op.execute(
        f"UPDATE batches SET version = version + 1 WHERE id IN ({STOPPED_AGAIN}) OR id IN"
        f" (SELECT target_id FROM lot_links WHERE withdrawn_at IS NULL AND source_id IN ({STOPPED_AGAIN}))"
    )
    op.create_table(
        "recall_task_lots",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("supplied", sa.Numeric(14, 3), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("supplied >= 0", name=op.f("ck_recall_task_lots_supplied")),
        sa.ForeignKeyConstraint(["task_id"], ["recall_tasks.id"], name=op.f("fk_recall_task_lots_task_id")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_recall_task_lots_batch_id")),
        sa.PrimaryKeyConstraint("task_id", "batch_id", name=op.f("pk_recall_task_lots")),
    )
    keep(op.get_bind(), KEPT + ADDED)


def downgrade() -> None:
    let_go(op.get_bind(), KEPT + ADDED)
    op.drop_table("recall_task_lots")
    with op.batch_alter_table("recall_notices") as table:
        table.drop_constraint(op.f("ck_recall_notices_type"), type_="check")
    op.execute("UPDATE recall_notices SET type = 'end' WHERE type IN ('complete', 'withdraw', 'lift')")
    with op.batch_alter_table("recall_notices") as table:
        table.alter_column("type", existing_type=sa.String(8), type_=sa.String(7), existing_nullable=False)
        table.create_check_constraint(op.f("ck_recall_notices_type"), _one_of("type", NOTICES_BEFORE))
    with op.batch_alter_table("recalls") as table:
        table.drop_constraint(op.f("ck_recalls_ended_at"), type_="check")
        table.drop_constraint(op.f("ck_recalls_end"), type_="check")
        table.drop_constraint(op.f("ck_recalls_status"), type_="check")
    op.execute("UPDATE recalls SET status = 'ended' WHERE status IN ('completed', 'withdrawn', 'lifted')")
    with op.batch_alter_table("recalls") as table:
        table.alter_column("status", existing_type=sa.String(9), type_=sa.String(8), existing_nullable=False)
        table.create_check_constraint(op.f("ck_recalls_status"), _one_of("status", STATUSES_BEFORE))
    keep(op.get_bind(), KEPT)


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"
