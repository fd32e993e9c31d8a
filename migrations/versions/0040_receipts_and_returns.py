"""A shipment is received in several steps, refused, and sent back; what a recall's report says was sold leaves the
ledger

What is known of a line (come, refused, missing, back again) is kept beside it by the database, which refuses more than
was sent. Of receipts that there are, what did not come is missing.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

SHIPMENT_FACTS = (
    "sender_id",
    "consignee_id",
    "consignee_name",
    "consignee_phone",
    "consignee_address",
    "consignee_division_code",
    "consignee_organisation_id",
)
RECEIPTS = (AppendOnly("receipts"), AppendOnly("receipt_lines"))
SHIPMENTS = AppendOnly("shipments", fixed=SHIPMENT_FACTS)
SHIPMENTS_NOW = AppendOnly("shipments", fixed=(*SHIPMENT_FACTS, "returns_id", "report_id"))
MOVES = AppendOnly("lot_moves")
AMOUNT = sa.Numeric(14, 3)
KNOWN = ("received", "refused", "missing", "returned")
HOLDINGS = "lot_moves_make_holdings"
# SQLite keeps fractions as binary ones.
MAKE_HOLDINGS = (
    "INSERT INTO lot_holdings (batch_id, holder_id, quantity) VALUES (NEW.batch_id, NEW.holder_id, 0)"
    " ON CONFLICT DO NOTHING",
    "UPDATE lot_holdings SET quantity = round(quantity + NEW.quantity, 3)"
    " WHERE batch_id = NEW.batch_id AND holder_id = NEW.holder_id",
)
SUMS = "receipt_lines_make_sums"
MAKE_SUMS = (
    "UPDATE shipment_lines SET received = round(received + NEW.quantity, 3),"
    " refused = round(refused + NEW.refused, 3), missing = round(missing + NEW.missing, 3) WHERE id = NEW.line_id",
    # What came of a return is back again of what it returns.
    "UPDATE shipment_lines SET returned = round(returned + NEW.quantity, 3)"
    " WHERE batch_id = (SELECT l.batch_id FROM shipment_lines l WHERE l.id = NEW.line_id)"
    " AND shipment_id = (SELECT s.returns_id FROM shipments s JOIN shipment_lines l ON l.shipment_id = s.id"
    " WHERE l.id = NEW.line_id)",
)
CAUSES = ("made", "corrected", "used", "sent", "received", "returned", "lost", "sampled", "destroyed", "withdrawn")
PARTIES = (
    "CASE WHEN returns_id IS NULL THEN sender_id IS NOT NULL AND consignee_id IS NOT NULL AND report_id IS NULL"
    " ELSE consignee_id IS NULL AND consignee_organisation_id IS NOT NULL END"
)
NEW_IN_USE = (
    "SELECT (SELECT count(*) FROM shipments WHERE returns_id IS NOT NULL)"
    " + (SELECT count(*) FROM receipt_lines WHERE refused > 0)"
    " + (SELECT count(*) FROM receipts) - (SELECT count(DISTINCT shipment_id) FROM receipts)"
    " + (SELECT count(*) FROM shipment_lines JOIN receipts ON receipts.shipment_id = shipment_lines.shipment_id"
    " WHERE round(received + refused + missing, 3) < quantity)"
)
REFUSAL = "goods were received in steps, refused or sent back: the version before can't say so"

SOLD = (
    "INSERT INTO lot_moves (batch_id, holder_id, cause, quantity, moved_at, note, created_by_id, report_id)"
    " SELECT batch_id, organisation_id, 'sold', -gone, reported_at, '', NULL, id"
    " FROM (SELECT r.batch_id, t.organisation_id, max(r.gone) AS gone, max(r.reported_at) AS reported_at,"
    " max(r.id) AS id FROM recall_reports r JOIN recall_tasks t ON t.id = r.task_id JOIN recalls c ON c.id = t.recall_id"
    " WHERE t.organisation_id IS NOT NULL AND c.kind != 'drill' AND r.id IN"
    " (SELECT max(id) FROM recall_reports GROUP BY task_id, batch_id) GROUP BY r.batch_id, t.organisation_id) latest"
    " WHERE gone > 0 AND gone <= (SELECT h.quantity FROM lot_holdings h"
    " WHERE h.batch_id = latest.batch_id AND h.holder_id = latest.organisation_id)"
)
"""What recalls' reports said was sold leaves the hands of who said it, where it is still counted there."""
NO_LONGER_SOLD = (
    "UPDATE lot_holdings SET quantity = round(quantity - coalesce((SELECT sum(m.quantity) FROM lot_moves m"
    " LEFT JOIN lot_moves u ON u.id = m.undoes_id WHERE m.batch_id = lot_holdings.batch_id"
    " AND m.holder_id = lot_holdings.holder_id AND (m.cause = 'sold' OR u.cause = 'sold')), 0), 3)",
    "DELETE FROM lot_moves WHERE undoes_id IN (SELECT id FROM lot_moves WHERE cause = 'sold')",
    "DELETE FROM lot_moves WHERE cause = 'sold'",
)


def upgrade() -> None:
    connection = op.get_bind()
    let_go(connection, (*RECEIPTS, SHIPMENTS))
    with op.batch_alter_table("shipments") as table:
        table.add_column(sa.Column("returns_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("report_id", sa.Integer(), nullable=True))
        table.alter_column("sender_id", existing_type=sa.Integer(), nullable=True)
        table.alter_column("consignee_id", existing_type=sa.Integer(), nullable=True)
        table.create_foreign_key(op.f("fk_shipments_returns_id"), "shipments", ["returns_id"], ["id"])
        table.create_foreign_key(op.f("fk_shipments_report_id"), "recall_reports", ["report_id"], ["id"])
        table.create_check_constraint(op.f("ck_shipments_parties"), PARTIES)
    op.create_index(op.f("ix_shipments_returns_id"), "shipments", ["returns_id"])
    with op.batch_alter_table("receipts") as table:
        table.add_column(sa.Column("return_id", sa.Integer(), nullable=True))
        table.drop_constraint(op.f("uq_receipts_shipment_id"), type_="unique")
        table.create_foreign_key(op.f("fk_receipts_return_id"), "shipments", ["return_id"], ["id"])
        table.create_unique_constraint(op.f("uq_receipts_return_id"), ["return_id"])
    op.create_index(op.f("ix_receipts_shipment_id"), "receipts", ["shipment_id"])
    with op.batch_alter_table("receipt_lines") as table:
        table.add_column(sa.Column("refused", AMOUNT, server_default="0", nullable=False))
        table.add_column(sa.Column("missing", AMOUNT, server_default="0", nullable=False))
        table.add_column(sa.Column("reason", sa.String(200), server_default="", nullable=False))
    op.execute(
        "UPDATE receipt_lines SET missing = round((SELECT l.quantity FROM shipment_lines l"
        " WHERE l.id = receipt_lines.line_id) - quantity, 3)"
    )
    with op.batch_alter_table("receipt_lines") as table:
        table.drop_constraint(op.f("ck_receipt_lines_quantity"), type_="check")
        table.create_check_constraint(
            op.f("ck_receipt_lines_quantity"),
            "quantity >= 0 AND refused >= 0 AND missing >= 0 AND quantity + refused + missing > 0",
        )
        table.create_check_constraint(op.f("ck_receipt_lines_reason"), "refused = 0 OR reason != ''")
    with op.batch_alter_table("shipment_lines") as table:
        for name in KNOWN:
            table.add_column(sa.Column(name, AMOUNT, server_default="0", nullable=False))
    op.execute(
        "UPDATE shipment_lines SET received = coalesce((SELECT sum(r.quantity) FROM receipt_lines r"
        " WHERE r.line_id = shipment_lines.id), 0), missing = coalesce((SELECT sum(r.missing) FROM receipt_lines r"
        " WHERE r.line_id = shipment_lines.id), 0)"
    )
    with op.batch_alter_table("shipment_lines") as table:
        table.create_check_constraint(
            op.f("ck_shipment_lines_known"), "round(received + refused + missing, 3) <= quantity"
        )
        table.create_check_constraint(op.f("ck_shipment_lines_returned"), "round(returned + missing, 3) <= quantity")
    keep(connection, (*RECEIPTS, SHIPMENTS_NOW))
    _let_causes_be((*CAUSES, "sold"))
    _trigger(SUMS, "receipt_lines", MAKE_SUMS)
    op.execute(SOLD)


def _let_causes_be(causes: tuple[str, ...]) -> None:
    """Have moves be of these causes. Their table is made anew on SQLite, and with it its triggers."""
    sold = "sold" in causes
    let_go(op.get_bind(), (MOVES,))
    if not sold:
        # The reports say it still.
        for statement in NO_LONGER_SOLD:
            op.execute(statement)
    _no_trigger(HOLDINGS, "lot_moves")
    with op.batch_alter_table("lot_moves") as table:
        for name in ("quantity", "stands_for", "cause"):
            table.drop_constraint(op.f(f"ck_lot_moves_{name}"), type_="check")
        table.create_check_constraint(op.f("ck_lot_moves_cause"), f"cause IN ({', '.join(map(repr, causes))})")
        table.create_check_constraint(
            op.f("ck_lot_moves_quantity"),
            "quantity != 0 AND CASE WHEN cause = 'made' THEN quantity > 0"
            f" WHEN cause IN ('used', 'received', 'lost', 'sampled', 'destroyed'{', ' + repr('sold') if sold else ''})"
            " THEN quantity < 0 ELSE quantity != 0 END",
        )
        table.create_check_constraint(
            op.f("ck_lot_moves_stands_for"),
            "CASE cause WHEN 'used' THEN link_id IS NOT NULL WHEN 'sent' THEN line_id IS NOT NULL"
            " WHEN 'returned' THEN line_id IS NOT NULL"
            " WHEN 'received' THEN line_id IS NOT NULL AND receipt_id IS NOT NULL"
            " WHEN 'lost' THEN loss_id IS NOT NULL WHEN 'sampled' THEN loss_id IS NOT NULL"
            " WHEN 'destroyed' THEN loss_id IS NOT NULL OR report_id IS NOT NULL"
            + (" WHEN 'sold' THEN report_id IS NOT NULL" if sold else "")
            + " WHEN 'withdrawn' THEN undoes_id IS NOT NULL ELSE undoes_id IS NULL END",
        )
    keep(op.get_bind(), (MOVES,))
    _trigger(HOLDINGS, "lot_moves", MAKE_HOLDINGS)


def _trigger(name: str, table: str, statements: tuple[str, ...]) -> None:
    body = "; ".join(statements)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {body}; RETURN NULL; END $$"
        )
        body = f"EXECUTE FUNCTION {name}()"
    else:
        body = f"BEGIN {body}; END"
    op.execute(f"CREATE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW {body}")


def _no_trigger(name: str, table: str) -> None:
    op.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if op.get_bind().dialect.name == "postgresql" else ""))


def downgrade() -> None:
    """Refuses where something was received in steps, refused or sent back."""
    connection = op.get_bind()
    if connection.execute(sa.text(NEW_IN_USE)).scalar():
        raise RuntimeError(REFUSAL)
    _no_trigger(SUMS, "receipt_lines")
    if connection.dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {SUMS}()")
    let_go(connection, (*RECEIPTS, SHIPMENTS_NOW))
    _let_causes_be(CAUSES)
    with op.batch_alter_table("shipment_lines") as table:
        table.drop_constraint(op.f("ck_shipment_lines_known"), type_="check")
        table.drop_constraint(op.f("ck_shipment_lines_returned"), type_="check")
        for name in KNOWN:
            table.drop_column(name)
    with op.batch_alter_table("receipt_lines") as table:
        table.drop_constraint(op.f("ck_receipt_lines_quantity"), type_="check")
        table.drop_constraint(op.f("ck_receipt_lines_reason"), type_="check")
        table.create_check_constraint(op.f("ck_receipt_lines_quantity"), "quantity >= 0")
        for name in ("refused", "missing", "reason"):
            table.drop_column(name)
    op.drop_index(op.f("ix_receipts_shipment_id"), table_name="receipts")
    with op.batch_alter_table("receipts") as table:
        table.drop_constraint(op.f("uq_receipts_return_id"), type_="unique")
        table.drop_constraint(op.f("fk_receipts_return_id"), type_="foreignkey")
        table.create_unique_constraint(op.f("uq_receipts_shipment_id"), ["shipment_id"])
        table.drop_column("return_id")
    op.drop_index(op.f("ix_shipments_returns_id"), table_name="shipments")
    with op.batch_alter_table("shipments") as table:
        table.drop_constraint(op.f("ck_shipments_parties"), type_="check")
        table.drop_constraint(op.f("fk_shipments_returns_id"), type_="foreignkey")
        table.drop_constraint(op.f("fk_shipments_report_id"), type_="foreignkey")
        table.alter_column("sender_id", existing_type=sa.Integer(), nullable=False)
        table.alter_column("consignee_id", existing_type=sa.Integer(), nullable=False)
        table.drop_column("returns_id")
        table.drop_column("report_id")
    keep(connection, (*RECEIPTS, SHIPMENTS))
