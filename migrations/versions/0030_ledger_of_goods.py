"""How much of a lot anyone has is a ledger of moves, and never below nothing

Moves are made of the rows there are: of links, shipments, receipts, losses and reports that stand. What was withdrawn
before has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

MANY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOVES = (AppendOnly("lot_moves"),)
CAUSES = ("made", "corrected", "used", "sent", "received", "returned", "lost", "sampled", "destroyed", "withdrawn")
TRIGGER = "lot_moves_make_holdings"
BEGIN_HOLDING = (
    "INSERT INTO lot_holdings (batch_id, holder_id, quantity) VALUES (NEW.batch_id, NEW.holder_id, 0)"
    " ON CONFLICT DO NOTHING"
)
# SQLite keeps fractions as binary ones.
ADD_TO_HOLDING = (
    "UPDATE lot_holdings SET quantity = round(quantity + NEW.quantity, 3)"
    " WHERE batch_id = NEW.batch_id AND holder_id = NEW.holder_id"
)
SHORT = "升级时补记：登记的用去、发出和损耗比有的多"
MOVED = "INSERT INTO lot_moves (batch_id, holder_id, cause, quantity, moved_at, note, created_by_id"
"""The beginning of an INSERT of moves; columns of what they stand for follow."""

WAS_SENT = (
    "EXISTS (SELECT 1 FROM shipment_lines l JOIN shipments s ON s.id = l.shipment_id"
    " WHERE l.batch_id = k.source_id AND s.consignee_organisation_id = made.producer_id AND s.withdrawn_at IS NULL)"
)
FILL = (
    f"{MOVED}) SELECT id, producer_id, 'made', quantity, created_at, '', created_by_id FROM batches ORDER BY id",
    # Goods that go back to who made them are returned.
    f"{MOVED}, line_id) SELECT l.batch_id, s.sender_id,"
    " CASE WHEN s.consignee_organisation_id = b.producer_id THEN 'returned' ELSE 'sent' END,"
    " -l.quantity, s.created_at, '', s.created_by_id, l.id FROM shipment_lines l"
    " JOIN shipments s ON s.id = l.shipment_id JOIN batches b ON b.id = l.batch_id"
    " WHERE s.withdrawn_at IS NULL ORDER BY l.id",
    f"{MOVED}, line_id) SELECT l.batch_id, s.consignee_organisation_id,"
    " CASE WHEN s.consignee_organisation_id = b.producer_id THEN 'returned' ELSE 'sent' END,"
    " l.quantity, s.created_at, '', s.created_by_id, l.id FROM shipment_lines l"
    " JOIN shipments s ON s.id = l.shipment_id JOIN batches b ON b.id = l.batch_id"
    " WHERE s.withdrawn_at IS NULL AND s.consignee_organisation_id IS NOT NULL ORDER BY l.id",
    f"{MOVED}, line_id, receipt_id) SELECT l.batch_id, s.consignee_organisation_id, 'received',"
    " a.quantity - l.quantity, r.created_at, '', r.user_id, l.id, r.id FROM receipt_lines a"
    " JOIN receipts r ON r.id = a.receipt_id JOIN shipment_lines l ON l.id = a.line_id"
    " JOIN shipments s ON s.id = l.shipment_id"
    " WHERE s.withdrawn_at IS NULL AND s.consignee_organisation_id IS NOT NULL AND a.quantity < l.quantity"
    " ORDER BY r.id, l.id",
    # Who was never sent any drew on the producer.
    f"{MOVED}, link_id) SELECT k.source_id,"
    f" CASE WHEN made.producer_id = b.producer_id OR {WAS_SENT} THEN made.producer_id ELSE b.producer_id END,"
    " 'used', -k.quantity, k.created_at, '', k.created_by_id, k.id FROM lot_links k"
    " JOIN batches b ON b.id = k.source_id JOIN batches made ON made.id = k.target_id"
    " WHERE k.withdrawn_at IS NULL ORDER BY k.id",
    f"{MOVED}, loss_id) SELECT batch_id, holder_id, 'lost', -quantity, happened_at, '', created_by_id, id"
    " FROM lot_losses WHERE withdrawn_at IS NULL ORDER BY id",
    # The same goods are destroyed once, however many cases ask.
    f"{MOVED}, report_id) SELECT batch_id, organisation_id, 'destroyed', -max(destroyed), max(reported_at), '', NULL,"
    " max(id) FROM (SELECT r.id, r.batch_id, t.organisation_id, r.destroyed, r.reported_at FROM recall_reports r"
    " JOIN recall_tasks t ON t.id = r.task_id JOIN recalls c ON c.id = t.recall_id"
    " WHERE t.organisation_id IS NOT NULL AND c.kind != 'drill' AND r.id IN"
    " (SELECT max(id) FROM recall_reports GROUP BY task_id, batch_id)) latest"
    " WHERE destroyed > 0 GROUP BY batch_id, organisation_id",
)
OVERDRAWN = """SELECT m.batch_id, m.holder_id, b.producer_id, sum(m.quantity) AS quantity FROM lot_moves m
    JOIN batches b ON b.id = m.batch_id GROUP BY m.batch_id, m.holder_id, b.producer_id
    HAVING round(sum(m.quantity), 3) < 0"""
USES = """SELECT id, quantity, moved_at, link_id, created_by_id FROM lot_moves
    WHERE batch_id = :batch AND holder_id = :holder AND cause = 'used' ORDER BY id DESC"""


def upgrade() -> None:
    with op.batch_alter_table("lot_losses") as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(9), server_default="lost", nullable=False))
        batch_op.create_check_constraint(op.f("ck_lot_losses_kind"), "kind IN ('lost', 'sampled', 'destroyed')")
    op.create_table(
        "lot_moves",
        sa.Column("id", MANY, nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(9), nullable=False),
        sa.Column("quantity", sa.Numeric(14, 3), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("link_id", sa.Integer(), nullable=True),
        sa.Column("line_id", sa.Integer(), nullable=True),
        sa.Column("receipt_id", sa.Integer(), nullable=True),
        sa.Column("loss_id", sa.Integer(), nullable=True),
        sa.Column("report_id", sa.Integer(), nullable=True),
        sa.Column("undoes_id", MANY, nullable=True),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "quantity != 0 AND CASE WHEN cause = 'made' THEN quantity > 0"
            " WHEN cause IN ('used', 'received', 'lost', 'sampled', 'destroyed') THEN quantity < 0 ELSE quantity != 0"
            " END",
            name=op.f("ck_lot_moves_quantity"),
        ),
        sa.CheckConstraint(
            "CASE cause WHEN 'used' THEN link_id IS NOT NULL WHEN 'sent' THEN line_id IS NOT NULL"
            " WHEN 'returned' THEN line_id IS NOT NULL"
            " WHEN 'received' THEN line_id IS NOT NULL AND receipt_id IS NOT NULL"
            " WHEN 'lost' THEN loss_id IS NOT NULL WHEN 'sampled' THEN loss_id IS NOT NULL"
            " WHEN 'destroyed' THEN loss_id IS NOT NULL OR report_id IS NOT NULL"
            " WHEN 'withdrawn' THEN undoes_id IS NOT NULL ELSE undoes_id IS NULL END",
            name=op.f("ck_lot_moves_stands_for"),
        ),
        sa.CheckConstraint(f"cause IN ({', '.join(map(repr, CAUSES))})", name=op.f("ck_lot_moves_cause")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_lot_moves_batch_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["organisations.id"], name=op.f("fk_lot_moves_holder_id")),
        sa.ForeignKeyConstraint(["link_id"], ["lot_links.id"], name=op.f("fk_lot_moves_link_id")),
        sa.ForeignKeyConstraint(["line_id"], ["shipment_lines.id"], name=op.f("fk_lot_moves_line_id")),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name=op.f("fk_lot_moves_receipt_id")),
        sa.ForeignKeyConstraint(["loss_id"], ["lot_losses.id"], name=op.f("fk_lot_moves_loss_id")),
        sa.ForeignKeyConstraint(["report_id"], ["recall_reports.id"], name=op.f("fk_lot_moves_report_id")),
        sa.ForeignKeyConstraint(["undoes_id"], ["lot_moves.id"], name=op.f("fk_lot_moves_undoes_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_lot_moves_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot_moves")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_lot_moves_undoes_id")),
    )
    op.create_table(
        "lot_holdings",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(14, 3), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_lot_holdings_quantity")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_lot_holdings_batch_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["organisations.id"], name=op.f("fk_lot_holdings_holder_id")),
        sa.PrimaryKeyConstraint("batch_id", "holder_id", name=op.f("pk_lot_holdings")),
    )
    for statement in FILL:
        op.execute(statement)
    op.create_index("ix_lot_moves_batch_id_holder_id", "lot_moves", ["batch_id", "holder_id"])
    op.create_index("ix_lot_moves_line_id", "lot_moves", ["line_id"])
    op.create_index("ix_lot_moves_link_id", "lot_moves", ["link_id"])
    _draw_on_producers()
    _bring_in_what_is_short()
    op.execute(
        "INSERT INTO lot_holdings (batch_id, holder_id, quantity)"
        " SELECT batch_id, holder_id, round(sum(quantity), 3) FROM lot_moves GROUP BY batch_id, holder_id"
    )
    keep(op.get_bind(), MOVES)
    _make_holdings_by_the_database()


def _draw_on_producers() -> None:
    """What someone used beyond all that it was sent had come from the producer, as before."""
    for row in _overdrawn():
        short = -Decimal(str(row.quantity))
        if row.holder_id == row.producer_id:
            continue
        for use in op.get_bind().execute(sa.text(USES), {"batch": row.batch_id, "holder": row.holder_id}).all():
            used = -Decimal(str(use.quantity))
            amount = min(short, used)
            if amount <= 0:
                break
            short -= amount
            facts = {"batch": row.batch_id, "link": use.link_id, "at": use.moved_at, "by": use.created_by_id}
            kept = [(row.holder_id, used - amount), (row.producer_id, amount)]
            _add(facts | {"holder": row.holder_id, "cause": "withdrawn", "quantity": used, "undoes": use.id})
            for holder, part in kept:
                if part:
                    _add(facts | {"holder": holder, "cause": "used", "quantity": -part, "undoes": None})


def _add(values: dict[str, object]) -> None:
    columns = f"{MOVED}, link_id, undoes_id)"
    statement = f"{columns} VALUES (:batch, :holder, :cause, :quantity, :at, '', :by, :link, :undoes)"
    numeric = sa.bindparam("quantity", type_=sa.Numeric(14, 3))
    op.get_bind().execute(sa.text(statement).bindparams(numeric), values)


def _bring_in_what_is_short() -> None:
    """What is registered as gone beyond what there was is said, not hidden: a correction brings it in."""
    statement = (
        f"{MOVED}) SELECT batch_id, holder_id, 'corrected', -quantity, CURRENT_TIMESTAMP, :note, NULL"
        f" FROM ({OVERDRAWN}) short"
    )
    op.get_bind().execute(sa.text(statement), {"note": SHORT})


def _overdrawn() -> Iterator[sa.Row[tuple[int, int, int, Decimal]]]:
    yield from op.get_bind().execute(sa.text(OVERDRAWN)).all()


def _make_holdings_by_the_database() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {TRIGGER}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {BEGIN_HOLDING}; {ADD_TO_HOLDING}; RETURN NULL; END $$"
        )
        op.execute(f"CREATE TRIGGER {TRIGGER} AFTER INSERT ON lot_moves FOR EACH ROW EXECUTE FUNCTION {TRIGGER}()")
    else:
        op.execute(
            f"CREATE TRIGGER {TRIGGER} AFTER INSERT ON lot_moves FOR EACH ROW"
            f" BEGIN {BEGIN_HOLDING}; {ADD_TO_HOLDING}; END"
        )


def downgrade() -> None:
    let_go(op.get_bind(), MOVES)
    op.execute(f"DROP TRIGGER {TRIGGER}" + (" ON lot_moves" if op.get_bind().dialect.name == "postgresql" else ""))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {TRIGGER}()")
    op.drop_table("lot_holdings")
    op.drop_table("lot_moves")
    with op.batch_alter_table("lot_losses") as batch_op:
        batch_op.drop_constraint(op.f("ck_lot_losses_kind"), type_="check")
        batch_op.drop_column("kind")
