"""Who proposed a turning of a recall may take the proposal back"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

FIXED = ("recall_id", "turning", "content", "note", "hold_id", "proposed_by_id", "proposed_at")
ONCE = ("decided_by_id", "decided_at", "approved", "decision_note", "reminded_at", "raised_at")
PROPOSALS = (AppendOnly("recall_proposals", fixed=FIXED, once=ONCE),)
NAME = "ck_recall_proposals_second_officer"
ONCE_MORE = "a proposal was taken back by who had made it, which the version before can't say"


def upgrade() -> None:
    let_go(op.get_bind(), PROPOSALS)
    with op.batch_alter_table("recall_proposals") as batch_op:
        batch_op.drop_constraint(op.f(NAME), type_="check")
        batch_op.create_check_constraint(op.f(NAME), "NOT approved OR decided_by_id != proposed_by_id")
    keep(op.get_bind(), PROPOSALS)


def downgrade() -> None:
    """Refuses where a proposal was taken back."""
    query = "SELECT count(*) FROM recall_proposals WHERE decided_by_id = proposed_by_id"
    if op.get_bind().execute(sa.text(query)).scalar():
        raise RuntimeError(ONCE_MORE)
    let_go(op.get_bind(), PROPOSALS)
    with op.batch_alter_table("recall_proposals") as batch_op:
        batch_op.drop_constraint(op.f(NAME), type_="check")
        batch_op.create_check_constraint(op.f(NAME), "decided_by_id != proposed_by_id")
    keep(op.get_bind(), PROPOSALS)
