"""Natural persons and families can be producers, by their identity numbers, which are encrypted"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

PERSONS = "There are producers without a credit code: the version before can't have them."


def upgrade() -> None:
    with op.batch_alter_table("organisations") as batch_op:
        batch_op.add_column(sa.Column("identity_sealed", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("identity_fingerprint", sa.String(64), nullable=True))
        batch_op.drop_constraint(op.f("ck_organisations_producer_has_credit_code"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_organisations_producer_has_number"),
            "kind != 'producer' OR credit_code IS NOT NULL OR identity_fingerprint IS NOT NULL",
        )
        batch_op.create_check_constraint(
            op.f("ck_organisations_identity"), "(identity_sealed IS NULL) = (identity_fingerprint IS NULL)"
        )
        batch_op.create_check_constraint(
            op.f("ck_organisations_person_produces"), "identity_fingerprint IS NULL OR kind = 'producer'"
        )
        batch_op.create_unique_constraint(op.f("uq_organisations_identity_fingerprint"), ["identity_fingerprint"])


def downgrade() -> None:
    """Refuses where a producer has no credit code."""
    query = "SELECT count(*) FROM organisations WHERE kind = 'producer' AND credit_code IS NULL"
    if op.get_bind().execute(sa.text(query)).scalar():
        raise RuntimeError(PERSONS)
    with op.batch_alter_table("organisations") as batch_op:
        batch_op.drop_constraint(op.f("uq_organisations_identity_fingerprint"), type_="unique")
        for name in ("person_produces", "identity", "producer_has_number"):
            batch_op.drop_constraint(op.f(f"ck_organisations_{name}"), type_="check")
        batch_op.create_check_constraint(
            op.f("ck_organisations_producer_has_credit_code"), "kind != 'producer' OR credit_code IS NOT NULL"
        )
        batch_op.drop_column("identity_fingerprint")
        batch_op.drop_column("identity_sealed")
