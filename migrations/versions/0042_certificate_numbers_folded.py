"""Numbers of commitment certificates are looked for in a column that the database folds itself"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

TABLE, FOLD = "commitment_certificates", "number_fold"
# As `trace_app.folding` had it when this was written: changed there, it is a migration of its own.
SIGNS = (
    ("-", ""),
    ("_", ""),
    (".", ""),
    (" ", ""),
    ("/", ""),
    ("\\", ""),
    ("·", ""),
    ("O", "0"),
    ("I", "1"),
    ("L", "1"),
)


def upgrade() -> None:
    expression = "upper(number)"
    for sign, instead in SIGNS:
        expression = f"replace({expression}, '{sign}', '{instead}')"
    # SQLite can't add a column that is stored: it works the number out when it is read, and keeps it in the index.
    computed = sa.Computed(expression, persisted=op.get_bind().dialect.name == "postgresql")
    op.add_column(TABLE, sa.Column(FOLD, sa.String(30), computed, nullable=False))
    op.create_index(f"ix_{TABLE}_{FOLD}", TABLE, [FOLD], postgresql_ops={FOLD: "text_pattern_ops"})


def downgrade() -> None:
    op.drop_index(f"ix_{TABLE}_{FOLD}", TABLE)
    op.drop_column(TABLE, FOLD)
