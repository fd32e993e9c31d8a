from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trace_app.db.base import MANY, UtcDateTime, one_of, utc_now
from trace_app.extensions import Model


class MoveCause(enum.StrEnum):
    """What changed how much of a lot a holder has.

    Sent goods leave one holder and, where the consignee is on the platform, come to the other by the same line; it may
    use them before it confirms. Received is what the receipt says did not come. Returned goods leave who sends them
    back, and come to who gets them once that confirms. Sold is what a recall's report says is with consumers. Withdrawn
    undoes another move, of which the row was taken back.
    """

    MADE = "made"
    CORRECTED = "corrected"
    USED = "used"
    SENT = "sent"
    RECEIVED = "received"
    RETURNED = "returned"
    LOST = "lost"
    SAMPLED = "sampled"
    DESTROYED = "destroyed"
    SOLD = "sold"
    WITHDRAWN = "withdrawn"


class LotMove(Model):
    """One change of how much of a lot an organisation has, in the lot's unit. Rows are only ever added, and the
    database adds each to the holding in the same breath."""

    __tablename__ = "lot_moves"
    __table_args__ = (
        sa.CheckConstraint(
            "quantity != 0 AND CASE WHEN cause = 'made' THEN quantity > 0"
            " WHEN cause IN ('used', 'received', 'lost', 'sampled', 'destroyed', 'sold') THEN quantity < 0"
            " ELSE quantity != 0 END",
            "quantity",
        ),
        sa.CheckConstraint(
            "CASE cause WHEN 'used' THEN link_id IS NOT NULL WHEN 'sent' THEN line_id IS NOT NULL"
            " WHEN 'returned' THEN line_id IS NOT NULL"
            " WHEN 'received' THEN line_id IS NOT NULL AND receipt_id IS NOT NULL"
            " WHEN 'lost' THEN loss_id IS NOT NULL WHEN 'sampled' THEN loss_id IS NOT NULL"
            " WHEN 'destroyed' THEN loss_id IS NOT NULL OR report_id IS NOT NULL"
            " WHEN 'sold' THEN report_id IS NOT NULL"
            " WHEN 'withdrawn' THEN undoes_id IS NOT NULL ELSE undoes_id IS NULL END",
            "stands_for",
        ),
        sa.UniqueConstraint("undoes_id"),
        sa.Index("ix_lot_moves_batch_id_holder_id", "batch_id", "holder_id"),
        sa.Index("ix_lot_moves_line_id", "line_id"),
        sa.Index("ix_lot_moves_link_id", "link_id"),
    )

    id: Mapped[int] = mapped_column(MANY, primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"))
    holder_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    cause: Mapped[MoveCause] = mapped_column(one_of(MoveCause, "cause"))
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    """What came, or less than 0: what went."""
    moved_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    """When the platform was told."""
    link_id: Mapped[int | None] = mapped_column(sa.ForeignKey("lot_links.id"))
    line_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shipment_lines.id"))
    """The line of a shipment; of a use: the line that brought what was used before anyone noted it."""
    receipt_id: Mapped[int | None] = mapped_column(sa.ForeignKey("receipts.id"))
    loss_id: Mapped[int | None] = mapped_column(sa.ForeignKey("lot_losses.id"))
    report_id: Mapped[int | None] = mapped_column(sa.ForeignKey("recall_reports.id"))
    undoes_id: Mapped[int | None] = mapped_column(MANY, sa.ForeignKey("lot_moves.id"))
    """What a withdrawn move takes back: nothing is taken back twice."""
    note: Mapped[str] = mapped_column(sa.String(200), default="")
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))


class LotHolding(Model):
    """How much of a lot an organisation has: the sum of its moves, kept by the database. It is never below nothing."""

    __tablename__ = "lot_holdings"
    __table_args__ = (sa.CheckConstraint("quantity >= 0", "quantity"),)

    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), primary_key=True)
    holder_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), primary_key=True)
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
