"""Holds have no level and no day by which they are carried out; a waiting proposal's clock"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go
from trace_app.db.base import UtcDateTime

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

NOTICES = (AppendOnly("recall_notices"),)
FIXED = ("recall_id", "turning", "content", "note", "hold_id", "proposed_by_id", "proposed_at")
DECIDED = ("decided_by_id", "decided_at", "approved", "decision_note")
PROPOSALS = (AppendOnly("recall_proposals", fixed=FIXED, once=(*DECIDED, "reminded_at", "raised_at")),)
PROPOSALS_BEFORE = (AppendOnly("recall_proposals", fixed=FIXED, once=DECIDED),)
OF_HOLDS = "(SELECT id FROM recalls WHERE kind = 'hold')"
LEVEL = 2
"""By which the clocks of holds went that nobody had given another level."""


def upgrade() -> None:
    let_go(op.get_bind(), NOTICES)
    with op.batch_alter_table("recall_notices") as batch_op:
        batch_op.alter_column("level", existing_type=sa.Integer(), nullable=True)
    keep(op.get_bind(), NOTICES)
    with op.batch_alter_table("recall_tasks") as batch_op:
        batch_op.alter_column("finish_due_on", existing_type=sa.Date(), nullable=True)
    op.execute(f"UPDATE recall_tasks SET finish_due_on = NULL WHERE recall_id IN {OF_HOLDS}")
    with op.batch_alter_table("recalls") as batch_op:
        batch_op.alter_column("level", existing_type=sa.Integer(), nullable=True)
    op.execute("UPDATE recalls SET level = NULL, finish_due_on = NULL WHERE kind = 'hold'")
    with op.batch_alter_table("recalls") as batch_op:
        batch_op.create_check_constraint(op.f("ck_recalls_level_of_kind"), "(level IS NULL) = (kind = 'hold')")
        batch_op.create_check_constraint(op.f("ck_recalls_hold_without_end"), "kind != 'hold' OR finish_due_on IS NULL")
    let_go(op.get_bind(), PROPOSALS_BEFORE)
    op.add_column("recall_proposals", sa.Column("reminded_at", UtcDateTime(), nullable=True))
    op.add_column("recall_proposals", sa.Column("raised_at", UtcDateTime(), nullable=True))
    keep(op.get_bind(), PROPOSALS)


def downgrade() -> None:
    let_go(op.get_bind(), PROPOSALS)
    op.drop_column("recall_proposals", "raised_at")
    op.drop_column("recall_proposals", "reminded_at")
    keep(op.get_bind(), PROPOSALS_BEFORE)
    with op.batch_alter_table("recalls") as batch_op:
        batch_op.drop_constraint(op.f("ck_recalls_hold_without_end"), type_="check")
        batch_op.drop_constraint(op.f("ck_recalls_level_of_kind"), type_="check")
    first = "(SELECT level FROM recall_notices WHERE recall_id = recalls.id AND sequence = 1)"
    op.execute(f"UPDATE recalls SET level = coalesce({first}, {LEVEL}) WHERE level IS NULL")
    op.execute("UPDATE recalls SET finish_due_on = date(in_force_at) WHERE kind = 'hold'")
    with op.batch_alter_table("recalls") as batch_op:
        batch_op.alter_column("level", existing_type=sa.Integer(), nullable=False)
    op.execute("UPDATE recall_tasks SET finish_due_on = date(start_due_at) WHERE finish_due_on IS NULL")
    with op.batch_alter_table("recall_tasks") as batch_op:
        batch_op.alter_column("finish_due_on", existing_type=sa.Date(), nullable=False)
    let_go(op.get_bind(), NOTICES)
    op.execute(f"UPDATE recall_notices SET level = {LEVEL} WHERE level IS NULL")
    with op.batch_alter_table("recall_notices") as batch_op:
        batch_op.alter_column("level", existing_type=sa.Integer(), nullable=False)
    keep(op.get_bind(), NOTICES)
