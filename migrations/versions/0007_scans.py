"""Scans by lot, day and region"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scan_days",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("region", sa.String(length=20), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_scan_days_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "day", "region", name=op.f("pk_scan_days")),
    )


def downgrade() -> None:
    op.drop_table("scan_days")
