"""What the platform promises of a row, the database holds: days in order, reasons beside what was taken back, numbers
well-formed; on SQLite lengths, numbers, days and JSON as well. No column has a default that its model has not"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.base import gs1_number
from trace_app.db.constraints import declare, drop_default, hold_types, let_types_go, retract

revision = "0050"
down_revision = "0046"
branch_labels = None
depends_on = None

CHECKS = {
    "organisations": {
        "credit_code_form": "length(credit_code) = 18 AND ltrim(credit_code, '0123456789ABCDEFGHJKLMNPQRTUWXY') = ''",
        "gs1_prefix": "length(gs1_prefix) BETWEEN 4 AND 12 AND ltrim(gs1_prefix, '0123456789') = ''",
        "named": "name != ''",
    },
    "products": {
        "named": "name != ''",
        "gtin": gs1_number("gtin", 14),
    },
    "sites": {
        "named": "name != ''",
        "place": "(latitude IS NULL) = (longitude IS NULL)",
        "gln": gs1_number("gln", 13),
    },
    "batches": {
        "closed_at": "(status = 'closed') = (closed_at IS NOT NULL)",
        "released_goods": "status = 'draft' OR produced_on IS NOT NULL",
        "days": "started_on <= produced_on AND produced_on <= best_before AND started_on <= best_before",
        "lot_number": "lot_number != '' AND lot_number = trim(lot_number)",
        "version": "version > 0",
    },
    "records": {
        "amount": "(dose IS NULL) = (dose_unit IS NULL)",
        "correction": "(replaces_id IS NULL) = (correction_reason IS NULL) AND (replaces_id IS NULL OR replaces_id != id)",
    },
    "record_series": {
        "range": "ends_at >= starts_at AND count > 0 AND most >= least",
    },
    "test_reports": {
        "days": "issued_on >= sampled_on",
        "named": "report_number != '' AND laboratory != ''",
        "correction": "replaces_id IS NULL OR (correction_reason != '' AND replaces_id != id)",
    },
    "test_results": {
        "detected": "NOT detected OR value IS NOT NULL",
        "named": "analyte != '' AND unit != ''",
    },
    "findings": {
        "subject": "(batch_id IS NULL) != (certificate_id IS NULL)",
        "gone": "gone_at >= found_at",
        "handled": "(handled_at IS NULL) = (handled_by_id IS NULL) AND (handled_at IS NULL OR handled_at >= found_at)",
    },
    "shipments": {
        "cold_chain": "(least_celsius IS NULL) = (most_celsius IS NULL) AND (least_celsius IS NULL OR least_celsius <= most_celsius)",
        "withdrawn": "withdrawn_at IS NULL OR withdrawn_reason != ''",
        "consignee": "consignee_name != ''",
    },
    "shipped_codes": {
        "index": '"index" >= 0',
    },
    "shipment_temperatures": {
        "period": "ends_at >= starts_at AND count > 0",
    },
    "lot_links": {
        "withdrawn": "withdrawn_at IS NULL OR withdrawn_reason != ''",
    },
    "lot_losses": {
        "withdrawn": "withdrawn_at IS NULL OR withdrawn_reason != ''",
    },
    "commitment_certificates": {
        "withdrawn": "withdrawn_at IS NULL OR withdrawn_reason != ''",
    },
    "certificates": {
        "numbered": "number != '' AND issuer != ''",
    },
    "stock_lots": {
        "lot_number": "lot_number != ''",
        "unit": "unit IN ('kg', 'g', 't', 'L', 'mL', 'bottle', 'piece')",
    },
    "recalls": {
        "in_force": "status NOT IN ('active', 'completed', 'withdrawn', 'lifted') OR in_force_at IS NOT NULL",
        "order": "ended_at >= issued_at AND in_force_at >= issued_at",
        "lot_count": "lot_count >= 0",
    },
    "recall_notices": {
        "sequence": "sequence > 0",
        "lots": "lots_added >= 0 AND lots_removed >= 0 AND lot_count >= 0",
    },
    "recall_tasks": {
        "acknowledged": "(acknowledged_at IS NULL) = (acknowledged_by = '')",
    },
    "users": {
        "named": "username != ''",
    },
    "label_runs": {
        "sscc": "(sscc_stem IS NULL) = (sscc_first IS NULL) AND (sscc_first IS NULL OR sscc_first >= 0)",
    },
    "print_jobs": {
        "done": "done BETWEEN 0 AND count",
    },
    "print_volumes": {
        "range": "number > 0 AND first >= 0 AND count > 0 AND file_bytes > 0",
    },
    "pin_checks": {
        "counts": '"index" >= 0 AND "right" >= 0 AND wrong >= 0',
    },
    "packings": {
        "places": '"index" >= 0 AND container_index >= 0',
        "order": "unpacked_at >= packed_at",
    },
    "imports": {
        "counts": "rows >= 0 AND good BETWEEN 0 AND rows AND taken BETWEEN 0 AND rows AND problem_count >= 0",
    },
    "divisions": {
        "code": "length(code) IN (6, 9) AND ltrim(code, '0123456789') = ''",
    },
    "holidays": {
        "type": "type IN ('off', 'work')",
    },
    "limits": {
        "op": "op IN ('<=', '>=', 'not_detected')",
        "confidence": "confidence IN ('', 'high', 'medium', 'low')",
    },
    "prohibited_substances": {
        "input_type": "input_type IN ('pesticide', 'veterinary')",
    },
    "gi_areas": {
        "valid": "valid_until IS NULL OR valid_until >= valid_from",
    },
    "suspicions": {
        "times": "last_at >= first_at AND scans > 0",
    },
    "input_products": {
        "named": "name != ''",
    },
    "input_label_uses": {
        "unit": "(dose_min IS NULL AND dose_max IS NULL) OR dose_unit IS NOT NULL",
        "amounts": "dose_min >= 0 AND dose_max >= 0",
    },
    "channels": {
        "target": "target != ''",
    },
    "photos": {
        "size": "width > 0 AND height > 0",
    },
    "audit_events": {
        "action": "action != ''",
    },
}
RULES = {
    table: {f"ck_{table}_{name}": f"CHECK ({condition})" for name, condition in checks.items()}
    for table, checks in CHECKS.items()
} | {"user_roles": {"uq_user_roles_user_id": "UNIQUE (user_id)"}}
DEFAULTS = {
    "deliveries": ("address",),
    "label_runs": ("level", "has_pin", "link", "voided"),
    "product_kinds": ("rules",),
    "product_stages": ("rules",),
    "products": ("marks",),
    "recalls": ("kind", "status", "voluntary", "scope", "lot_count"),
}
"""What a row got by itself that said nothing: a recall that forgot its state was in force. No version of the models
counts on them, so they don't come back.
"""
UNIQUE = (
    ("uq_findings_of_certificate", "findings", ["certificate_id", "rule", "key"],
     "gone_at IS NULL AND certificate_id IS NOT NULL"),
    ("uq_input_label_uses_of_all_kinds", "input_label_uses", ["product_id"], "kind_code IS NULL"),
)  # fmt: skip


def _tables() -> list[str]:
    return [name for name in sa.inspect(op.get_bind()).get_table_names() if name != "alembic_version"]


def upgrade() -> None:
    connection = op.get_bind()
    # A recall of before that is in force and does not say since when has been since it was issued.
    op.execute(
        "UPDATE recalls SET in_force_at = issued_at WHERE in_force_at IS NULL"
        " AND status IN ('active', 'completed', 'withdrawn', 'lifted')"
    )
    declare(connection, RULES)
    for table, columns in DEFAULTS.items():
        for column in columns:
            drop_default(connection, table, column)
    for name, table, columns, condition in UNIQUE:
        where = sa.text(condition)
        op.create_index(name, table, columns, unique=True, sqlite_where=where, postgresql_where=where)
    for table in _tables():
        hold_types(connection, table)


def downgrade() -> None:
    connection = op.get_bind()
    for table in _tables():
        let_types_go(connection, table)
    for name, table, _columns, _condition in reversed(UNIQUE):
        op.drop_index(name, table)
    retract(connection, RULES)
