"""Notices say on what they rest, how to be compensated, and who the producers were; organisations say who answers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ANSWERS = {"legal_representative": 60, "responsible_person": 60, "contact_email": 255}
"""Who answers for an organisation, with the length of each."""
STATES = {"basis": 300, "remedy": 500, "remedy_en": 800}
"""What a notice says beside reason and advice."""


def upgrade() -> None:
    for name, length in ANSWERS.items():
        _add("organisations", sa.Column(name, sa.String(length), nullable=False, server_default=""))
    _add("products", sa.Column("brand", sa.String(40), nullable=False, server_default=""))
    for name, length in STATES.items():
        _add("recall_notices", sa.Column(name, sa.String(length), nullable=False, server_default=""))
    _add("recall_notices", sa.Column("facts", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    for name in ("facts", *reversed(STATES)):
        op.drop_column("recall_notices", name)
    op.drop_column("products", "brand")
    for name in reversed(ANSWERS):
        op.drop_column("organisations", name)


def _add(table: str, column: sa.Column[str]) -> None:
    # Without making the table anew, which would lose the triggers of what is only ever added.
    op.add_column(table, column)
