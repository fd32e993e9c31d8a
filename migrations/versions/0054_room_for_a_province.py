"""Numbers of rows that a province has more than two billion of take eight bytes; indexes that no query takes are gone"""

from __future__ import annotations

from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

MANY = ("audit_events", "deliveries", "packings", "shipped_codes", "test_results")
"""No other table refers to their numbers. SQLite's are as long already."""
UNUSED = (("ix_records_product_name", "product_name"), ("ix_records_active_ingredient", "active_ingredient"))
MOST = 2**31 - 1


def upgrade() -> None:
    _number_by("bigint")
    for name, _column in UNUSED:
        op.drop_index(name, "records")


def downgrade() -> None:
    """Refuses where a number no longer has room in four bytes."""
    connection = op.get_bind()
    for table in MANY:
        if (connection.exec_driver_sql(f"SELECT max(id) FROM {table}").scalar() or 0) > MOST:
            raise RuntimeError(f"{table} has numbers that need eight bytes")
    for name, column in UNUSED:
        op.create_index(name, "records", [column])
    _number_by("integer")


def _number_by(kind: str) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in MANY:
        op.execute(f"ALTER TABLE {table} ALTER id TYPE {kind}")
        op.execute(f"ALTER SEQUENCE {table}_id_seq AS {kind}")
