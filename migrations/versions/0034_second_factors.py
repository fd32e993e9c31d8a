"""Accounts may have a second factor; a session says when it was last shown"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.base import UtcDateTime

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as batch_op:
        batch_op.add_column(sa.Column("tf_primary_method", sa.String(20), nullable=True))
        batch_op.add_column(sa.Column("tf_totp_secret", sa.String(500), nullable=True))
        batch_op.add_column(sa.Column("tf_last_counter", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("mf_recovery_codes", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(sa.Column("factor_due_at", UtcDateTime(), nullable=True))
        batch_op.create_check_constraint(
            op.f("ck_users_factor_has_secret"), "(tf_primary_method IS NULL) = (tf_totp_secret IS NULL)"
        )
    op.add_column("user_sessions", sa.Column("factor_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("user_sessions") as batch_op:
        batch_op.drop_column("factor_at")
    with op.batch_alter_table("users") as batch_op:
        batch_op.drop_constraint(op.f("ck_users_factor_has_secret"), type_="check")
        for column in ("factor_due_at", "mf_recovery_codes", "tf_last_counter", "tf_totp_secret", "tf_primary_method"):
            batch_op.drop_column(column)
