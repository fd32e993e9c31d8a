"""How far the files of the scan log's spool have been taken in"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spool_files",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_spool_files"),
    )


def downgrade() -> None:
    op.drop_table("spool_files")
