"""A row names products, sites, lots, records, stock, consignees and documents of its own owner alone; what a key can't
say, triggers hold"""

from __future__ import annotations

from alembic import op

from trace_app.db.constraints import declare, retract
from trace_app.db.guards import guard, named, unguard

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

OWNERS = {
    "products": "producer_id",
    "sites": "producer_id",
    "batches": "producer_id",
    "stock_lots": "producer_id",
    "records": "producer_id",
    "certificates": "producer_id",
    "consignees": "sender_id",
    "documents": "organisation_id",
}
"""The owner's column of what other rows name."""
KEYS = {table: {f"uq_{table}_{owner}_id": f"UNIQUE ({owner}, id)"} for table, owner in OWNERS.items()}
LATER = "DEFERRABLE INITIALLY DEFERRED"
"""Looked at when the transaction commits: whoever keeps a record asks only after the INSERT whose the lot is."""
OWN = {
    "batches": {
        "fk_batches_own_product": "FOREIGN KEY (producer_id, product_id) REFERENCES products (producer_id, id)",
        "fk_batches_own_site": "FOREIGN KEY (producer_id, site_id) REFERENCES sites (producer_id, id)",
    },
    "records": {
        "fk_records_own_batch": f"FOREIGN KEY (producer_id, batch_id) REFERENCES batches (producer_id, id) {LATER}",
        "fk_records_own_site": f"FOREIGN KEY (producer_id, site_id) REFERENCES sites (producer_id, id) {LATER}",
        "fk_records_own_stock": f"FOREIGN KEY (producer_id, stock_id) REFERENCES stock_lots (producer_id, id) {LATER}",
        "fk_records_own_replaces": "FOREIGN KEY (producer_id, replaces_id) REFERENCES records (producer_id, id)",
    },
    "certificates": {
        "fk_certificates_own_product": "FOREIGN KEY (producer_id, product_id) REFERENCES products (producer_id, id)",
    },
    "findings": {
        "fk_findings_own_batch": "FOREIGN KEY (producer_id, batch_id) REFERENCES batches (producer_id, id)",
        "fk_findings_own_certificate": "FOREIGN KEY (producer_id, certificate_id) REFERENCES certificates (producer_id, id)",
    },
    "shipments": {
        "fk_shipments_own_consignee": "FOREIGN KEY (sender_id, consignee_id) REFERENCES consignees (sender_id, id)",
    },
    "imports": {
        "fk_imports_own_document": "FOREIGN KEY (organisation_id, document_id) REFERENCES documents (organisation_id, id)",
    },
    "clip_uploads": {
        "fk_clip_uploads_own_record": "FOREIGN KEY (organisation_id, record_id) REFERENCES records (producer_id, id)",
    },
}
GUARDS = named(
    "unit_of_kind",
    "no_way_back",
    "own_lot",
    "own_clip",
    "own_photo",
    "own_picture",
    "label_of_run",
    "void_of_run",
    "larger_outside",
    "second_officer",
)


def upgrade() -> None:
    declare(op.get_bind(), KEYS)
    declare(op.get_bind(), OWN)
    guard(op.get_bind(), GUARDS)


def downgrade() -> None:
    unguard(op.get_bind(), GUARDS)
    retract(op.get_bind(), OWN)
    retract(op.get_bind(), KEYS)
