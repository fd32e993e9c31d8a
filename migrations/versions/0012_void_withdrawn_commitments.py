"""Codes of commitment certificates that were withdrawn are void, as they are from now on"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO voided_labels (run_id, first, last, reason, created_at, created_by_id)"
        " SELECT c.run_id, 0, 0, c.withdrawn_reason, c.withdrawn_at, c.created_by_id FROM commitment_certificates c"
        " JOIN label_runs r ON r.id = c.run_id WHERE c.withdrawn_at IS NOT NULL AND r.voided = ''"
    )
    op.execute(
        "UPDATE label_runs SET voided = '0-0' WHERE voided = ''"
        " AND id IN (SELECT run_id FROM commitment_certificates WHERE withdrawn_at IS NOT NULL)"
    )


def downgrade() -> None:
    """What is void stays so."""
