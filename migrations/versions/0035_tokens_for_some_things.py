"""Tokens are for some things and for some time; what someone did is found by who did it"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from trace_app.db.base import UtcDateTime

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

SCOPES = ("for_read", "for_records", "for_labels", "for_recalls")
DAYS = timedelta(days=90)


def upgrade() -> None:
    """Tokens from before go on as they were for another 90 days."""
    with op.batch_alter_table("api_tokens") as batch_op:
        for scope in SCOPES:
            batch_op.add_column(sa.Column(scope, sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("expires_at", UtcDateTime(), nullable=True))
    tokens = sa.table("api_tokens", *(sa.column(scope) for scope in SCOPES), sa.column("expires_at", UtcDateTime()))
    op.execute(tokens.update().values(dict.fromkeys(SCOPES, True) | {"expires_at": datetime.now(UTC) + DAYS}))
    with op.batch_alter_table("api_tokens") as batch_op:
        for scope in SCOPES:
            batch_op.alter_column(scope, existing_type=sa.Boolean(), nullable=False)
        batch_op.alter_column("expires_at", existing_type=UtcDateTime(), nullable=False)
        batch_op.create_check_constraint(
            op.f("ck_api_tokens_for_something"), "for_read OR for_records OR for_labels OR for_recalls"
        )
        batch_op.create_check_constraint(op.f("ck_api_tokens_expires_later"), "expires_at > created_at")
    op.create_index("ix_audit_events_actor", "audit_events", ["actor_id"])


def downgrade() -> None:
    op.drop_index("ix_audit_events_actor", "audit_events")
    with op.batch_alter_table("api_tokens") as batch_op:
        batch_op.drop_constraint(op.f("ck_api_tokens_expires_later"), type_="check")
        batch_op.drop_constraint(op.f("ck_api_tokens_for_something"), type_="check")
        for column in ("expires_at", *SCOPES):
            batch_op.drop_column(column)
