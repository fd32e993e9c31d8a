"""Lists of many rows are read from an index, in the order in which they are shown"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0057"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_batches_producer_id_started_on", "batches", ["producer_id", "started_on"]),
    ("ix_shipments_sent_to_departed_at", "shipments", ["consignee_organisation_id", "departed_at"]),
    ("ix_shipments_sender_id_number", "shipments", ["sender_id", "number"]),
    ("ix_records_producer_id_happened_on", "records", ["producer_id", "happened_on"]),
    ("ix_stock_lots_producer_id_received_on", "stock_lots", ["producer_id", "received_on"]),
    ("ix_stock_lots_producer_id_lot_number", "stock_lots", ["producer_id", "lot_number"]),
    ("ix_certificates_producer_id_valid_until", "certificates", ["producer_id", "valid_until"]),
    ("ix_certificates_producer_id_number", "certificates", ["producer_id", "number"]),
    ("ix_imports_organisation_id_created_at", "imports", ["organisation_id", "created_at"]),
)
STANDING = "ix_findings_producer_id_standing"


def upgrade() -> None:
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    standing = sa.text("gone_at IS NULL")
    op.create_index(STANDING, "findings", ["producer_id", "found_at"], sqlite_where=standing, postgresql_where=standing)


def downgrade() -> None:
    op.drop_index(STANDING, "findings")
    for name, table, _columns in INDEXES:
        op.drop_index(name, table)
