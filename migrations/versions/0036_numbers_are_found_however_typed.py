"""Numbers of lots, of inputs and of registrations are looked for in a column that the database folds itself"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

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
COLUMNS = (
    ("batches", "lot_number", "lot_fold"),
    ("records", "input_lot", "input_lot_fold"),
    ("input_products", "registration_number", "registration_fold"),
)


BEGINNINGS = (("shipments", "number"), ("test_reports", "report_number"))


def _folded(column: str) -> str:
    expression = f"upper({column})"
    for sign, instead in SIGNS:
        expression = f"replace({expression}, '{sign}', '{instead}')"
    return expression


def upgrade() -> None:
    # SQLite can't add a column that is stored: it works the number out when it is read, and keeps it in the index.
    stored = op.get_bind().dialect.name == "postgresql"
    for table, column, fold in COLUMNS:
        computed = sa.Computed(_folded(column), persisted=stored)
        op.add_column(table, sa.Column(fold, sa.String(40), computed, nullable=table == "records"))
        op.create_index(f"ix_{table}_{fold}", table, [fold], postgresql_ops={fold: "text_pattern_ops"})
    for table, column in BEGINNINGS:
        op.create_index(f"ix_{table}_{column}", table, [column], postgresql_ops={column: "text_pattern_ops"})


def downgrade() -> None:
    for table, column in reversed(BEGINNINGS):
        op.drop_index(f"ix_{table}_{column}", table)
    for table, _column, fold in reversed(COLUMNS):
        op.drop_index(f"ix_{table}_{fold}", table)
        op.drop_column(table, fold)
