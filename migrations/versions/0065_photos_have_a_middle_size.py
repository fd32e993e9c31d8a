"""Photos have a middle size; those of before go on without"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.constraints import declare, hold_types, let_types_go, retract

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None

SIZES = {"photos": {"ck_photos_middle": "CHECK (middle_width > 0 AND middle_width < width)"}}


def upgrade() -> None:
    connection = op.get_bind()
    let_types_go(connection, "photos")
    op.add_column("photos", sa.Column("middle_width", sa.Integer(), nullable=True))
    declare(connection, SIZES)
    hold_types(connection, "photos")


def downgrade() -> None:
    """Forgets which photos have a middle size; its pictures stay in the store, unused."""
    connection = op.get_bind()
    let_types_go(connection, "photos")
    retract(connection, SIZES)
    op.drop_column("photos", "middle_width")
    hold_types(connection, "photos")
