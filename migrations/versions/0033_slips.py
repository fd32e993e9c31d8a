"""Passwords are set by their owners alone, by slips; those that others set are to be changed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go
from trace_app.db.base import UtcDateTime

revision = "0033"
down_revision = "0031"
branch_labels = None
depends_on = None

SLIPS = (
    AppendOnly(
        "password_slips",
        fixed=("user_id", "purpose", "digest", "created_at", "created_by_id", "expires_at"),
        once=("ended_at", "used"),
    ),
)
OPEN = "ended_at IS NULL"
SET_BY_OTHERS = """
UPDATE users SET password_change_due = :due WHERE EXISTS (
    SELECT 1 FROM audit_events WHERE actor_id IS NOT NULL AND actor_id != users.id AND id = (
        SELECT max(latest.id) FROM audit_events AS latest WHERE latest.subject_type = 'users'
            AND latest.subject_id = users.id AND latest.action IN ('create', 'set-password')))
"""
SESSIONS_OF_THEM = """
UPDATE user_sessions SET ended_at = seen_at WHERE ended_at IS NULL
    AND user_id IN (SELECT id FROM users WHERE password_change_due)
"""
NOBODYS = "!"
"""What is no hash of any password."""


def upgrade() -> None:
    with op.batch_alter_table("users") as batch_op:
        batch_op.alter_column("email", existing_type=sa.String(255), nullable=True)
        batch_op.alter_column("password", existing_type=sa.String(255), nullable=True)
        batch_op.add_column(sa.Column("password_change_due", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(sa.text(SET_BY_OTHERS).bindparams(due=True))
    op.execute(SESSIONS_OF_THEM)
    op.create_table(
        "password_slips",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("used", sa.Boolean(), nullable=True),
        sa.CheckConstraint("purpose IN ('invitation', 'reset')", name=op.f("ck_password_slips_purpose")),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_password_slips_expires_later")),
        sa.CheckConstraint("(ended_at IS NULL) = (used IS NULL)", name=op.f("ck_password_slips_ended_somehow")),
        sa.CheckConstraint("NOT used OR ended_at <= expires_at", name=op.f("ck_password_slips_used_in_time")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_password_slips_user_id_users")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_password_slips_created_by_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_slips")),
        sa.UniqueConstraint("digest", name=op.f("uq_password_slips_digest")),
    )
    op.create_index(op.f("ix_password_slips_user_id"), "password_slips", ["user_id"])
    op.create_index(
        "uq_password_slips_open",
        "password_slips",
        ["user_id"],
        unique=True,
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    )
    keep(op.get_bind(), SLIPS)


def downgrade() -> None:
    """Who has no password or address is given ones that nobody has: the version before knows no account without."""
    let_go(op.get_bind(), SLIPS)
    op.drop_table("password_slips")
    op.execute(sa.text("UPDATE users SET password = :nobodys WHERE password IS NULL").bindparams(nobodys=NOBODYS))
    op.execute("UPDATE users SET email = username || '@no-address.invalid' WHERE email IS NULL")
    with op.batch_alter_table("users") as batch_op:
        batch_op.drop_column("password_change_due")
        batch_op.alter_column("password", existing_type=sa.String(255), nullable=False)
        batch_op.alter_column("email", existing_type=sa.String(255), nullable=False)
