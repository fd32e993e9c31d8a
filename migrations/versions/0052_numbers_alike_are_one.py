"""An owner has a number once, however it is written: lots, lots of inputs, registrations and certificates"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.folding import written_plainly

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

NUMBERS = (
    ("batches", "lot_number", "producer_id"),
    ("stock_lots", "lot_number", "producer_id, product_id"),
    ("input_products", "registration_number", "owner_id, type, name"),
    ("certificates", "number", "producer_id, type"),
)
"""Each with the owner's columns. `trace_app.db.text.same_number` says the same to queries."""


def _alike(column: str) -> str:
    if op.get_bind().dialect.name == "postgresql":
        return f"""upper(replace({column}, ' ', '') COLLATE "C")"""
    return f"upper(replace({column}, ' ', ''))"


def _write_plainly(table: str, column: str) -> None:
    """Numbers of before forms did so, in plain width and with plain dashes: they read the same on labels."""
    connection = op.get_bind()
    rows = connection.execute(sa.text(f"SELECT id, {column} AS number FROM {table}")).all()
    change = sa.text(f"UPDATE {table} SET {column} = :plain WHERE id = :id")
    for row in rows:
        plain = (written_plainly(row.number) or "").strip()
        if plain != row.number:
            connection.execute(change, {"plain": plain, "id": row.id})


def _refuse_doubles(table: str, column: str, owner: str) -> None:
    alike = _alike(column)
    query = f"SELECT min({column}) AS one, max({column}) AS other FROM {table} GROUP BY {owner}, {alike} HAVING count(*) > 1"
    if doubles := op.get_bind().execute(sa.text(query)).all():
        pairs = ", ".join(f"{row.one} = {row.other}" for row in doubles[:20])
        raise RuntimeError(
            f"numbers in {table} are one but for how they are written; change one of each first: {pairs}"
        )


def upgrade() -> None:
    for table, column, owner in NUMBERS:
        _write_plainly(table, column)
        _refuse_doubles(table, column, owner)
        op.execute(f"CREATE UNIQUE INDEX uq_{table}_{column}_alike ON {table} ({owner}, {_alike(column)})")


def downgrade() -> None:
    for table, column, _owner in reversed(NUMBERS):
        op.execute(f"DROP INDEX uq_{table}_{column}_alike")
