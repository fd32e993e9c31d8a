"""Authorities are of agriculture or of market supervision, and kinds say which of them leads"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BRANCHES = "'agriculture', 'market'"


def upgrade() -> None:
    with op.batch_alter_table("organisations") as table:
        table.add_column(sa.Column("branch", sa.String(11), nullable=False, server_default="agriculture"))
        table.create_check_constraint(op.f("ck_organisations_branch"), f"branch IN ({BRANCHES})")
        table.create_check_constraint(
            op.f("ck_organisations_branch_of_regulator"), "branch = 'agriculture' OR kind = 'regulator'"
        )
    with op.batch_alter_table("product_kinds") as table:
        table.add_column(sa.Column("led_by", sa.String(11), nullable=False, server_default="agriculture"))
        table.create_check_constraint(op.f("ck_product_kinds_led_by"), f"led_by IN ({BRANCHES})")
    # What is made in a factory is food; kinds that were loaded from files of their own say it when loaded again.
    op.execute("UPDATE product_kinds SET led_by = 'market' WHERE code IN ('ham', 'ham_mooncake')")


def downgrade() -> None:
    with op.batch_alter_table("product_kinds") as table:
        table.drop_constraint(op.f("ck_product_kinds_led_by"), type_="check")
        table.drop_column("led_by")
    with op.batch_alter_table("organisations") as table:
        table.drop_constraint(op.f("ck_organisations_branch_of_regulator"), type_="check")
        table.drop_constraint(op.f("ck_organisations_branch"), type_="check")
        table.drop_column("branch")
