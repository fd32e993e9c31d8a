"""The platform holds lots that are out by itself: cases without a person who issued them, with the finding they are for"""

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NOTICES = (AppendOnly("recall_notices"),)
ONCE_MORE = "a lot was held by the platform itself, which the version before can't say"


def upgrade() -> None:
    with op.batch_alter_table("findings") as batch_op:
        batch_op.add_column(sa.Column("stopped_sale_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("recalls") as batch_op:
        batch_op.alter_column("issued_by_id", existing_type=sa.Integer(), nullable=True)
        batch_op.add_column(sa.Column("cause_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_recalls_cause_id"), "findings", ["cause_id"], ["id"])
        batch_op.create_unique_constraint(op.f("uq_recalls_cause_id"), ["cause_id"])
        batch_op.create_check_constraint(op.f("ck_recalls_issuer"), "(issued_by_id IS NULL) = (cause_id IS NOT NULL)")
        batch_op.create_check_constraint(op.f("ck_recalls_automatic"), "cause_id IS NULL OR kind = 'hold'")
    let_go(op.get_bind(), NOTICES)
    with op.batch_alter_table("recall_notices") as batch_op:
        batch_op.alter_column("issued_by_id", existing_type=sa.Integer(), nullable=True)
    keep(op.get_bind(), NOTICES)


def downgrade() -> None:
    """Refuses where a hold of the platform's own would be lost."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM recalls WHERE cause_id IS NOT NULL")).scalar():
        raise RuntimeError(ONCE_MORE)
    let_go(op.get_bind(), NOTICES)
    with op.batch_alter_table("recall_notices") as batch_op:
        batch_op.alter_column("issued_by_id", existing_type=sa.Integer(), nullable=False)
    keep(op.get_bind(), NOTICES)
    with op.batch_alter_table("recalls") as batch_op:
        batch_op.drop_constraint(op.f("ck_recalls_automatic"), type_="check")
        batch_op.drop_constraint(op.f("ck_recalls_issuer"), type_="check")
        batch_op.drop_constraint(op.f("uq_recalls_cause_id"), type_="unique")
        batch_op.drop_constraint(op.f("fk_recalls_cause_id"), type_="foreignkey")
        batch_op.drop_column("cause_id")
        batch_op.alter_column("issued_by_id", existing_type=sa.Integer(), nullable=False)
    with op.batch_alter_table("findings") as batch_op:
        batch_op.drop_column("stopped_sale_at")
