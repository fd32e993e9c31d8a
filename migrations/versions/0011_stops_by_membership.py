"""What stops a lot is said by the recalls that it is in, and no longer in its own row as well"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

LOT_KEY = "fk_recall_batches_batch_id"


def upgrade() -> None:
    with op.batch_alter_table("batches") as batch_op:
        batch_op.drop_column("recalled_at")
        batch_op.drop_column("recall_level")
        batch_op.drop_column("held_at")
    with op.batch_alter_table("recall_batches") as batch_op:
        batch_op.drop_constraint(op.f(LOT_KEY), type_="foreignkey")
    if op.get_bind().dialect.name == "postgresql":
        # Room for new versions of many rows at a time, which large recalls no longer write.
        op.execute("ALTER TABLE batches RESET (fillfactor)")
        op.create_index(
            "ix_batches_counted",
            "batches",
            ["id"],
            postgresql_include=["producer_id", "division_code", "unit", "quantity"],
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_batches_counted", "batches")
        op.execute("ALTER TABLE batches SET (fillfactor = 70)")
    with op.batch_alter_table("recall_batches") as batch_op:
        batch_op.create_foreign_key(op.f(LOT_KEY), "batches", ["batch_id"], ["id"])
    with op.batch_alter_table("batches") as batch_op:
        batch_op.add_column(sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("recall_level", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("recalled_at", sa.DateTime(timezone=True), nullable=True))
    stops = (
        "(SELECT min(r.{what}) FROM recall_batches m JOIN recalls r ON r.id = m.recall_id"
        " WHERE m.batch_id = batches.id AND m.removed_in IS NULL AND ({condition}))"
    )
    in_force = "r.kind = 'recall' AND r.status = 'active'"
    holding = "r.kind = 'hold' AND r.status = 'active' OR r.kind = 'recall' AND r.status = 'pending'"
    op.execute(
        f"UPDATE batches SET recalled_at = {stops.format(what='in_force_at', condition=in_force)},"
        f" recall_level = {stops.format(what='level', condition=in_force)},"
        f" held_at = {stops.format(what='issued_at', condition=holding)}"
    )
