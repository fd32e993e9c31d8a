"""Which edition of a product kind it is"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("product_kinds", sa.Column("edition", sa.String(32), nullable=False, server_default=""))
    kinds = sa.table("product_kinds", sa.column("code"), sa.column("edition"))
    connection = op.get_bind()
    for code in connection.scalars(sa.select(kinds.c.code)).all():
        connection.execute(sa.update(kinds).where(kinds.c.code == code).values(edition=secrets.token_hex(16)))


def downgrade() -> None:
    op.drop_column("product_kinds", "edition")
