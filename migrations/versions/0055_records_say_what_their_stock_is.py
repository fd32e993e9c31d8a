"""A record that takes from a stock lot has that lot's number and its product's name"""

from __future__ import annotations

from alembic import op

from trace_app.db.guards import guard, named, unguard

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

GUARDS = named("stock_of_record")


def upgrade() -> None:
    guard(op.get_bind(), GUARDS)


def downgrade() -> None:
    unguard(op.get_bind(), GUARDS)
