"""A record that nobody has relied on is withdrawn: by a row of its own, and for good"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go
from trace_app.db.base import UtcDateTime
from trace_app.db.constraints import hold_types
from trace_app.db.guards import guard, named, unguard

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

STAYS = (AppendOnly("record_withdrawals"),)
GUARDS = named("nobody_relies", "none_of_withdrawn")


def upgrade() -> None:
    op.create_table(
        "record_withdrawals",
        sa.Column("record_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("reason != ''", name=op.f("ck_record_withdrawals_reason")),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name=op.f("fk_record_withdrawals_record_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_record_withdrawals_created_by_id")),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_record_withdrawals")),
    )
    hold_types(op.get_bind(), "record_withdrawals")
    keep(op.get_bind(), STAYS)
    guard(op.get_bind(), GUARDS)


def downgrade() -> None:
    """Withdrawn records count again: what says so goes."""
    unguard(op.get_bind(), GUARDS)
    let_go(op.get_bind(), STAYS)
    op.drop_table("record_withdrawals")
