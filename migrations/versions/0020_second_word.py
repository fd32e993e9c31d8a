"""Turnings of a recall that wait for a second officer, reminders of it, and what was open when one was ended"""

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

ADDED = (
    AppendOnly(
        "recall_proposals",
        fixed=("recall_id", "turning", "content", "note", "hold_id", "proposed_by_id", "proposed_at"),
        once=("decided_by_id", "decided_at", "approved", "decision_note"),
    ),
)
USERS = ("proposed_by_id", "decided_by_id")
RECALLS = ("recall_id", "hold_id")
WAITING = sa.text("decided_at IS NULL")


def upgrade() -> None:
    op.add_column("recalls", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("recalls", sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("recall_notices", sa.Column("still_open", sa.JSON(), nullable=True))
    op.create_table(
        "recall_proposals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recall_id", sa.Integer(), nullable=False),
        sa.Column("turning", sa.String(8), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("hold_id", sa.Integer(), nullable=True),
        sa.Column("proposed_by_id", sa.Integer(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("decision_note", sa.String(500), nullable=True),
        sa.CheckConstraint(
            "turning IN ('extend', 'correct', 'narrow', 'complete', 'withdraw')",
            name=op.f("ck_recall_proposals_turning"),
        ),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by_id IS NULL) AND (decided_at IS NULL) = (approved IS NULL)",
            name=op.f("ck_recall_proposals_decided"),
        ),
        sa.CheckConstraint("decided_by_id != proposed_by_id", name=op.f("ck_recall_proposals_second_officer")),
        sa.CheckConstraint("(turning = 'extend') = (hold_id IS NOT NULL)", name=op.f("ck_recall_proposals_hold")),
        *(sa.ForeignKeyConstraint([one], ["users.id"], name=op.f(f"fk_recall_proposals_{one}")) for one in USERS),
        *(sa.ForeignKeyConstraint([one], ["recalls.id"], name=op.f(f"fk_recall_proposals_{one}")) for one in RECALLS),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall_proposals")),
    )
    op.create_index(
        op.f("uq_recall_proposals_waiting"),
        "recall_proposals",
        ["recall_id"],
        unique=True,
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    keep(op.get_bind(), ADDED)


def downgrade() -> None:
    let_go(op.get_bind(), ADDED)
    op.drop_index(op.f("uq_recall_proposals_waiting"), table_name="recall_proposals")
    op.drop_table("recall_proposals")
    op.drop_column("recall_notices", "still_open")
    op.drop_column("recalls", "raised_at")
    op.drop_column("recalls", "reminded_at")
