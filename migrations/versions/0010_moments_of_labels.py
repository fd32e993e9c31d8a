"""First and last scans of labels as Unix times"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMNS = 'run_id, "index", {first_at}, {last_at}, scans, unusual'


def _anew(moment: sa.types.TypeEngine, unit: str) -> None:
    """Make `scan_items` with moments of another type, and fill it with what was counted.

    :param unit: the SQL that makes a moment of one type one of the other.
    """
    op.rename_table("scan_items", "scan_items_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_scan_items RENAME TO pk_scan_items_before")
    op.create_table(
        "scan_items",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_at", moment, nullable=False),
        sa.Column("last_at", moment, nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("unusual", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "index", name=op.f("pk_scan_items")),
        sqlite_with_rowid=False,
    )
    names = COLUMNS.format(first_at="first_at", last_at="last_at")
    values = COLUMNS.format(first_at=unit.format("first_at"), last_at=unit.format("last_at"))
    op.execute(f"INSERT INTO scan_items ({names}) SELECT {values} FROM scan_items_before")
    op.drop_table("scan_items_before")


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    _anew(
        sa.BigInteger(),
        "extract(epoch FROM {})::bigint" if on_postgresql else "CAST(strftime('%s', {}) AS INTEGER)",
    )


def downgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    _anew(
        sa.DateTime(timezone=True),
        "to_timestamp({})" if on_postgresql else "strftime('%Y-%m-%d %H:%M:%S', {}, 'unixepoch') || '.000000'",
    )
