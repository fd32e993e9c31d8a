"""The labels of cases and pallets say how much is in them"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("print_jobs") as batch_op:
        batch_op.add_column(sa.Column("items_each", sa.Integer(), nullable=True))
        batch_op.create_check_constraint(op.f("ck_print_jobs_items_each"), "items_each > 0")


def downgrade() -> None:
    with op.batch_alter_table("print_jobs") as batch_op:
        batch_op.drop_constraint(op.f("ck_print_jobs_items_each"), type_="check")
        batch_op.drop_column("items_each")
