"""A GTIN is one product's, and a run says why there are more labels than goods"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of several products with one GTIN the first keeps it; that the others had it stands in the audit events."""
    connection = op.get_bind()
    later = (
        "gtin IS NOT NULL AND EXISTS"
        " (SELECT 1 FROM products first WHERE first.gtin = products.gtin AND first.id < products.id)"
    )
    events = sa.table(
        "audit_events",
        sa.column("at", sa.DateTime(timezone=True)),
        sa.column("action", sa.String),
        sa.column("subject_type", sa.String),
        sa.column("subject_id", sa.BigInteger),
        sa.column("facts", sa.JSON),
    )
    rows = connection.execute(sa.text(f"SELECT id, gtin FROM products WHERE {later} ORDER BY id")).all()
    for product_id, gtin in rows:
        facts = {"gtin": gtin, "reason": "another product had it before"}
        event = {"action": "clear-gtin", "subject_type": "products", "subject_id": product_id, "facts": facts}
        connection.execute(sa.insert(events).values(at=sa.func.current_timestamp(), **event))
    if rows:
        clear = sa.text("UPDATE products SET gtin = NULL WHERE id IN :ids").bindparams(
            sa.bindparam("ids", expanding=True)
        )
        connection.execute(clear, {"ids": [row.id for row in rows]})
    with op.batch_alter_table("products") as batch_op:
        batch_op.create_unique_constraint(op.f("uq_products_gtin"), ["gtin"])
    with op.batch_alter_table("label_runs") as batch_op:
        batch_op.add_column(sa.Column("excess_reason", sa.String(300), server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("label_runs") as batch_op:
        batch_op.drop_column("excess_reason")
    with op.batch_alter_table("products") as batch_op:
        batch_op.drop_constraint(op.f("uq_products_gtin"), type_="unique")
