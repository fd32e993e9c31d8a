"""Products and sites are retired, and brought back: nothing new is made of what is"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.base import UtcDateTime
from trace_app.db.constraints import hold_types, let_types_go
from trace_app.db.guards import guard, named, unguard

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

GUARDS = named("still_offered")
TABLES = ("products", "sites")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("retired_at", UtcDateTime(), nullable=True))
        hold_types(op.get_bind(), table)
    guard(op.get_bind(), GUARDS)


def downgrade() -> None:
    """What was retired is offered again."""
    unguard(op.get_bind(), GUARDS)
    for table in TABLES:
        let_types_go(op.get_bind(), table)
        op.drop_column(table, "retired_at")
        hold_types(op.get_bind(), table)
